import type { ConversationView, NewMessage, PartInput } from "hubbub/chat";
import type { Opened } from "../Editor.tsx";
import { ChecklistDialog } from "./ChecklistDialog.tsx";
import { CommandDialog } from "./CommandDialog.tsx";
import { LocationDialog } from "./LocationDialog.tsx";
import { PollDialog } from "./PollDialog.tsx";
import { ScheduleDialog } from "./ScheduleDialog.tsx";

export interface DialogsProps {
  opened: Opened;
  view: ConversationView;
  thread: number | undefined;
  /** What is written now. */
  content(): NewMessage;
  onClose(): void;
  onParts(parts: readonly PartInput[]): void;
  onScheduled(): void;
  onCommand(name: string, rest: string, values: Readonly<Record<string, string>>): void;
}

/** What is open over the composer. */
export default function Dialogs(props: DialogsProps) {
  const { opened, view, onClose, onParts } = props;
  const done = (parts: readonly PartInput[]) => {
    onParts(parts);
    onClose();
  };
  switch (opened.kind) {
    case "poll":
      return <PollDialog onClose={onClose} onMade={done} />;
    case "checklist":
      return <ChecklistDialog onClose={onClose} onMade={done} />;
    case "location":
      return <LocationDialog onClose={onClose} onMade={done} />;
    case "schedule":
      return (
        <ScheduleDialog
          conversation={view.id}
          content={props.content}
          onClose={onClose}
          onScheduled={props.onScheduled}
        />
      );
    case "command":
      return (
        <CommandDialog
          conversation={view.id}
          name={opened.name}
          onClose={onClose}
          onRun={(values) => {
            onClose();
            props.onCommand(opened.name, opened.rest, values);
          }}
        />
      );
  }
}
