import { later } from "../app/later.ts";
import type { Route } from "../app/routes.ts";
import { ThreadsPage } from "./ThreadsPage.tsx";

const SearchPage = later(() => import("./SearchPage.tsx"));
const BookmarksPage = later(() => import("./BookmarksPage.tsx"));
const ScheduledPage = later(() => import("./ScheduledPage.tsx"));
const RemindersPage = later(() => import("./RemindersPage.tsx"));

export interface PageProps {
  route: Extract<Route, { view: "search" | "threads" | "bookmarks" | "scheduled" | "reminders" }>;
}

/** What takes the place of a conversation: search, threads, bookmarks, scheduled messages and drafts, reminders. */
export default function Page({ route }: PageProps) {
  switch (route.view) {
    case "search":
      return <SearchPage query={route.query} />;
    case "threads":
      return <ThreadsPage />;
    case "bookmarks":
      return <BookmarksPage />;
    case "scheduled":
      return <ScheduledPage />;
    case "reminders":
      return <RemindersPage />;
  }
}
