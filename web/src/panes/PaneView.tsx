import { lazy } from "react";
import type { Pane } from "../app/routes.ts";
import { DetailsPane } from "./DetailsPane.tsx";
import { ThreadPane } from "./ThreadPane.tsx";
import { UserPane } from "./UserPane.tsx";

const MembersPane = lazy(() => import("./MembersPane.tsx"));
const FilesPane = lazy(() => import("./FilesPane.tsx"));
const PinsPane = lazy(() => import("./PinsPane.tsx"));
const SettingsPane = lazy(() => import("./SettingsPane.tsx"));
const SearchPane = lazy(() => import("./SearchPane.tsx"));

export interface PaneViewProps {
  conversation: string;
  pane: Pane;
  onClose(): void;
}

/** What is beside a conversation: a thread, its details, members, pins, files, settings, a search in it, a profile. */
export default function PaneView({ conversation, pane, onClose }: PaneViewProps) {
  const props = { conversation, onClose };
  switch (pane.kind) {
    case "thread":
      return <ThreadPane key={pane.root} {...props} root={pane.root} message={pane.message} />;
    case "user":
      return <UserPane key={pane.user} {...props} user={pane.user} />;
    case "details":
      return <DetailsPane {...props} />;
    case "members":
      return <MembersPane {...props} />;
    case "pins":
      return <PinsPane {...props} />;
    case "files":
      return <FilesPane key={conversation} {...props} />;
    case "settings":
      return <SettingsPane key={conversation} {...props} />;
    case "search":
      return <SearchPane key={conversation} {...props} />;
  }
}
