import { useRef } from "react";
import { later } from "../app/later.ts";
import { useTexts } from "../i18n/index.ts";
import { Popover } from "../ui/index.ts";
import { toggleReaction } from "./Reactions.tsx";
import { useRoom } from "./room.ts";
import { texts } from "./texts.ts";
import type { Open } from "./useDeeds.ts";

const EmojiPicker = later(() => import("../composer/EmojiPicker.tsx"));
const DeleteDialog = later(() => import("./dialogs/DeleteDialog.tsx"));
const ForwardDialog = later(() => import("./dialogs/ForwardDialog.tsx"));
const RemindDialog = later(() => import("./dialogs/RemindDialog.tsx"));
const ReportDialog = later(() => import("./dialogs/ReportDialog.tsx"));
const PeopleDialog = later(() => import("./dialogs/PeopleDialog.tsx"));
const VersionsDialog = later(() => import("./dialogs/VersionsDialog.tsx"));

/** What is open over the messages; each is loaded when it is first opened. */
export function Dialogs({ open, onClose }: { open: Open | null; onClose(): void }) {
  const t = useTexts(texts);
  const room = useRoom();
  const middle = useRef({ x: innerWidth / 2, y: innerHeight / 2 });
  if (open === null) return null;
  const { deed, item } = open;
  switch (deed) {
    case "react":
      return (
        <Popover
          anchor={open.anchor ?? middle.current}
          onClose={onClose}
          label={t("react")}
          placement="above-end"
        >
          <EmojiPicker
            onPick={(emoji) => {
              onClose();
              toggleReaction(room, item, emoji);
            }}
          />
        </Popover>
      );
    case "delete":
      return <DeleteDialog item={item} onClose={onClose} />;
    case "forward":
      return <ForwardDialog item={item} onClose={onClose} />;
    case "remind":
      return <RemindDialog item={item} onClose={onClose} />;
    case "report":
      return <ReportDialog item={item} onClose={onClose} />;
    case "versions":
      return <VersionsDialog item={item} onClose={onClose} />;
    default:
      return <PeopleDialog what={deed} item={item} onClose={onClose} />;
  }
}
