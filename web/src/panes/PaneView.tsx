import type { KeyboardEvent } from "react";
import { later } from "../app/later.ts";
import type { Pane } from "../app/routes.ts";
import { DetailsPane } from "./DetailsPane.tsx";
import styles from "./panes.module.css";
import { ThreadPane } from "./ThreadPane.tsx";
import { UserPane } from "./UserPane.tsx";

const MembersPane = later(() => import("./MembersPane.tsx"));
const FilesPane = later(() => import("./FilesPane.tsx"));
const PinsPane = later(() => import("./PinsPane.tsx"));
const SettingsPane = later(() => import("./SettingsPane.tsx"));
const SearchPane = later(() => import("./SearchPane.tsx"));

export interface PaneViewProps {
  conversation: string;
  pane: Pane;
  onClose(): void;
}

/** What is beside a conversation: a thread, its details, members, pins, files, settings, a search in it, a profile. */
export default function PaneView(props: PaneViewProps) {
  function key(event: KeyboardEvent) {
    if (event.key !== "Escape" || event.defaultPrevented || isNeeded(event.target)) return;
    event.preventDefault();
    props.onClose();
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it hears what its controls leave
    <div className={styles.pane} onKeyDown={key}>
      <Content {...props} />
    </div>
  );
}

/** Whether Escape is for something within: a dialog or menu, a search that it empties, what somebody is writing. */
function isNeeded(target: EventTarget): boolean {
  if (!(target instanceof Element)) return false;
  if (target.closest("dialog, [popover]") !== null) return true;
  if (target instanceof HTMLTextAreaElement) return true;
  return target instanceof HTMLInputElement && target.type === "search" && target.value !== "";
}

function Content({ conversation, pane, onClose }: PaneViewProps) {
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
