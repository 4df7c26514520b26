import type { Route } from "../app/routes.ts";
import { EmptyState } from "../ui/index.ts";

export interface PageProps {
  route: Extract<Route, { view: "search" | "threads" | "bookmarks" | "scheduled" | "reminders" }>;
}

/** What takes the place of a conversation: search, threads, bookmarks, scheduled messages, reminders. */
export default function Page({ route }: PageProps) {
  return <EmptyState icon="search" title={route.view} />;
}
