import type { MessageItem, ReactionCount } from "hubbub/chat";
import { useNames } from "../conversations/names.ts";
import { formatCount, formatList, useTexts } from "../i18n/index.ts";
import { cx, Icon, tip, toastError } from "../ui/index.ts";
import styles from "./Reactions.module.css";
import { canDo, type Room, useRoom } from "./room.ts";
import { EmojiOf } from "./Text.tsx";
import { texts } from "./texts.ts";

/** React to a message, or take that back. */
export function toggleReaction(room: Room, item: MessageItem, name: string): void {
  const mine = item.message.reactions?.find((each) => each.name === name)?.users.includes(room.me ?? "");
  const { chat, conversation } = room;
  const done =
    mine === true
      ? chat.unreact(conversation, item.message.seq, name)
      : chat.react(conversation, item.message.seq, name);
  done.catch(toastError);
}

export function Reactions({ item }: { item: MessageItem }) {
  const t = useTexts(texts);
  const room = useRoom();
  const can = canDo(room, item, "react");
  return (
    <ul className={styles.reactions} aria-label={t("reactions")}>
      {(item.message.reactions ?? []).map((each) => (
        <li key={each.name}>
          <Reaction reaction={each} item={item} can={can} />
        </li>
      ))}
      {can && (
        <li>
          <button
            type="button"
            className={cx(styles.reaction, styles.add)}
            aria-label={t("addReaction")}
            {...tip(t("addReaction"))}
            onClick={(event) => room.act("react", item, event.currentTarget)}
          >
            <Icon name="emoji" size={15} />
          </button>
        </li>
      )}
    </ul>
  );
}

const NAMED = 5;

function Reaction({ reaction, item, can }: { reaction: ReactionCount; item: MessageItem; can: boolean }) {
  const t = useTexts(texts);
  const room = useRoom();
  const { name, count, users } = reaction;
  const names = useNames(users.slice(0, NAMED));
  const listed = users.slice(0, NAMED).map((user) => (user === room.me ? t("you") : names(user) || user));
  const left = count - listed.length;
  const who =
    left > 0
      ? t("reactedMore", { names: listed.join(", "), count: left, name })
      : t("reactedOne", { names: formatList(listed), name });
  const mine = users.includes(room.me ?? "");
  return (
    <button
      type="button"
      className={cx(styles.reaction, mine && styles.mine)}
      aria-pressed={mine}
      disabled={!can}
      {...tip(who)}
      onClick={() => toggleReaction(room, item, name)}
    >
      <span className="visually-hidden">{who}</span>
      <span className={styles.emoji} aria-hidden="true">
        <EmojiOf name={name} size={16} bare />
      </span>
      <span className={styles.count} aria-hidden="true">
        {formatCount(count, 999)}
      </span>
    </button>
  );
}
