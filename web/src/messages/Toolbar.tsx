import type { MessageItem } from "hubbub/chat";
import { useTexts } from "../i18n/index.ts";
import { IconButton, tip } from "../ui/index.ts";
import { toggleReaction } from "./Reactions.tsx";
import { canDo, useRoom } from "./room.ts";
import styles from "./Toolbar.module.css";
import { texts } from "./texts.ts";

/** Offered without opening the picker. */
const QUICK = ["👍", "❤️", "😂"] as const;

/** What one does most with a message, beside the one that is pointed at or focused. */
export function Toolbar({ item }: { item: MessageItem }) {
  const t = useTexts(texts);
  const room = useRoom();
  const can = (deed: Parameters<typeof canDo>[2]) => canDo(room, item, deed);
  return (
    <div className={styles.toolbar} role="toolbar" aria-label={t("toolbar")}>
      {can("react") &&
        QUICK.map((name) => (
          <button
            key={name}
            type="button"
            className={styles.quick}
            aria-label={t("reactWith", { name })}
            {...tip(t("reactWith", { name }))}
            onClick={() => toggleReaction(room, item, name)}
          >
            {name}
          </button>
        ))}
      {can("react") && (
        <IconButton
          icon="emoji"
          size="s"
          label={t("react")}
          keys="A"
          onClick={(event) => room.act("react", item, event.currentTarget)}
        />
      )}
      {can("reply") && (
        <IconButton
          icon="reply"
          size="s"
          label={t("reply")}
          keys="R"
          onClick={() => room.act("reply", item)}
        />
      )}
      {can("thread") && (
        <IconButton
          icon="thread"
          size="s"
          label={t("replyInThread")}
          keys="T"
          onClick={() => room.act("thread", item)}
        />
      )}
      {can("edit") && (
        <IconButton icon="edit" size="s" label={t("edit")} keys="E" onClick={() => room.act("edit", item)} />
      )}
      <IconButton
        icon="more"
        size="s"
        label={t("more")}
        keys="."
        aria-haspopup="menu"
        onClick={(event) => room.act("menu", item, event.currentTarget)}
      />
    </div>
  );
}
