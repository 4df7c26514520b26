import type { MessageItem } from "hubbub/chat";
import { gist } from "../../conversations/look.ts";
import { useTexts } from "../../i18n/index.ts";
import { Button, Dialog, toastError } from "../../ui/index.ts";
import { canDeleteForAll, useRoom } from "../room.ts";
import { texts } from "../texts.ts";
import styles from "./dialogs.module.css";

/** Asks for whom a message is to be deleted. */
export default function DeleteDialog({ item, onClose }: { item: MessageItem; onClose(): void }) {
  const t = useTexts(texts);
  const room = useRoom();
  const all = canDeleteForAll(room, item);
  const remove = (whom: "all" | "me") => {
    onClose();
    room.chat.delete(room.conversation, item.message.seq, { for: whom }).catch(toastError);
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("deleteTitle")}
      size="s"
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button
            tone={all ? "neutral" : "danger"}
            onClick={() => remove("me")}
            {...(!all && { "data-autofocus": true })}
          >
            {t("deleteForMe")}
          </Button>
          {all && (
            <Button tone="danger" onClick={() => remove("all")} data-autofocus>
              {t("deleteForAll")}
            </Button>
          )}
        </>
      }
    >
      <p className={styles.gist} dir="auto">
        {gist(item.message)}
      </p>
      <p>{t(all ? "deleteHint" : "deleteMineHint")}</p>
    </Dialog>
  );
}
