import { allowed, type ConversationView, type MessageItem } from "hubbub/chat";
import { useConversations } from "hubbub/react";
import { useState } from "react";
import { gist, iconOf, titleOf } from "../../conversations/look.ts";
import { useTexts } from "../../i18n/index.ts";
import { Avatar, Button, Dialog, Switch, TextField, toast, toastError } from "../../ui/index.ts";
import { useRoom } from "../room.ts";
import { texts } from "../texts.ts";
import styles from "./dialogs.module.css";

const SHOWN = 60;

/** Send what a message says to other conversations. */
export default function ForwardDialog({ item, onClose }: { item: MessageItem; onClose(): void }) {
  const t = useTexts(texts);
  const { chat, conversation, me } = useRoom();
  const all = useConversations();
  const [filter, setFilter] = useState("");
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [silent, setSilent] = useState(false);
  const [busy, setBusy] = useState(false);
  const open = (view: ConversationView) =>
    view.membership.state === "joined" && view.conversation.closed !== true && allowed(view, "send");
  const wanted = filter.trim().toLocaleLowerCase();
  const found = all
    .filter((view) => open(view) && titleOf(view, me).toLocaleLowerCase().includes(wanted))
    .slice(0, SHOWN);
  const send = async () => {
    setBusy(true);
    try {
      await chat.forward(conversation, item.message.seq, chosen, silent);
      toast(t("forwardDone"), { tone: "success" });
      onClose();
    } catch (error) {
      toastError(error);
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("forwardTitle")}
      onSubmit={() => chosen.length > 0 && void send()}
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button tone="primary" type="submit" busy={busy} disabled={chosen.length === 0}>
            {chosen.length === 0 ? t("forwardOne") : t("forwardSend", { count: chosen.length })}
          </Button>
        </>
      }
    >
      <p className={styles.gist} dir="auto">
        {gist(item.message)}
      </p>
      <TextField
        label={t("forwardFind")}
        hideLabel
        icon="search"
        placeholder={t("forwardFind")}
        value={filter}
        onChange={setFilter}
        data-autofocus
      />
      <div className={styles.list}>
        {found.map((view) => {
          const icon = iconOf(view, me);
          const title = titleOf(view, me);
          return (
            <label key={view.id} className={styles.row}>
              <input
                type="checkbox"
                checked={chosen.includes(view.id)}
                onChange={(event) =>
                  setChosen(
                    event.target.checked ? [...chosen, view.id] : chosen.filter((each) => each !== view.id),
                  )
                }
              />
              <Avatar
                id={view.peer?.id ?? view.id}
                name={title}
                src={view.peer?.avatar ?? view.conversation.avatar}
                size={28}
                square={icon !== undefined}
                {...(icon === undefined ? {} : { icon })}
              />
              <span className={styles.name}>{title}</span>
            </label>
          );
        })}
        {found.length === 0 && <p className={styles.soft}>{t("forwardNone")}</p>}
      </div>
      <Switch label={t("silently")} checked={silent} onChange={setSilent} />
    </Dialog>
  );
}
