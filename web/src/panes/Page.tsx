import { lazy } from "react";
import type { Route } from "../app/routes.ts";
import { ThreadsPage } from "./ThreadsPage.tsx";

const SearchPage = lazy(() => import("./SearchPage.tsx"));
const BookmarksPage = lazy(() => import("./BookmarksPage.tsx"));
const ScheduledPage = lazy(() => import("./ScheduledPage.tsx"));
const RemindersPage = lazy(() => import("./RemindersPage.tsx"));

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
