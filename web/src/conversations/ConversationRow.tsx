import type { ConversationView } from "hubbub/chat";
import { usePresence } from "hubbub/react";
import { type MouseEvent, memo } from "react";
import { href } from "../app/routes.ts";
import { formatRelative, useTexts } from "../i18n/index.ts";
import { Avatar, CountBadge, cx, Icon, type RowProps, tip } from "../ui/index.ts";
import styles from "./ConversationRow.module.css";
import { gist, gistOfPart, iconOf, titleOf, typingText } from "./look.ts";
import { useNames } from "./names.ts";
import { texts } from "./texts.ts";

export interface ConversationRowProps extends RowProps {
  view: ConversationView;
  me: string | undefined;
  open: boolean;
  onMenu(view: ConversationView, at: { x: number; y: number }): void;
}

/** A conversation in the list: who, when, what was said last, and how much is unread. */
export const ConversationRow = memo(function ConversationRow({
  view,
  me,
  open,
  onMenu,
  ...row
}: ConversationRowProps) {
  const t = useTexts(texts);
  const { conversation, membership, peer, muted } = view;
  const other = peer === undefined || peer.id === me ? undefined : peer.id;
  const presence = usePresence(other);
  const title = titleOf(view, me);
  const icon = iconOf(view, me);
  const unread = view.unread > 0;
  const time = view.lastMessage?.created ?? conversation.last_activity;

  function menu(event: MouseEvent) {
    event.preventDefault();
    const box = event.currentTarget.getBoundingClientRect();
    const byKey = event.clientX === 0 && event.clientY === 0;
    onMenu(view, byKey ? { x: box.left + 40, y: box.bottom } : { x: event.clientX, y: event.clientY });
  }

  return (
    <a
      {...row}
      href={href({ view: "conversation", conversation: conversation.id })}
      aria-current={open ? "page" : undefined}
      className={cx(styles.row, unread && !muted && styles.unread, muted && styles.muted)}
      onContextMenu={menu}
    >
      <Avatar
        id={peer?.id ?? conversation.id}
        name={title}
        src={peer?.avatar ?? conversation.avatar}
        size={34}
        square={icon !== undefined}
        {...(icon === undefined ? {} : { icon })}
        presence={presence?.availability === "offline" ? undefined : presence?.availability}
      />
      <span className={styles.texts}>
        <span className={styles.line}>
          <span className={styles.title} dir="auto">
            {title}
          </span>
          {muted && (
            <span className={styles.sign} {...tip(t("muted"))}>
              <Icon name="bellOff" size={14} />
              <span className="visually-hidden">{t("muted")}</span>
            </span>
          )}
          {time !== undefined && time > 0 && (
            <time className={styles.time} dateTime={new Date(time * 1000).toISOString()}>
              {formatRelative(time)}
            </time>
          )}
        </span>
        <span className={cx(styles.line, styles.second)}>
          <LastWords view={view} me={me} />
          <span className={styles.badges}>
            {view.mentions > 0 && (
              <CountBadge
                count={view.mentions}
                tone="danger"
                label={t("mentionCount", { count: view.mentions })}
              />
            )}
            {view.unread > 0 && (
              <CountBadge
                count={view.unread}
                tone={muted ? "quiet" : "accent"}
                label={t("unreadCount", { count: view.unread })}
              />
            )}
            {membership.state === "invited" && <Icon name="personAdd" size={16} />}
          </span>
        </span>
      </span>
    </a>
  );
});

function LastWords({ view, me }: { view: ConversationView; me: string | undefined }) {
  const t = useTexts(texts);
  const { conversation, membership, typing, lastMessage: last, draft } = view;
  const author = last?.sender ?? undefined;
  const inviter = membership.state === "invited" ? membership.invited_by : undefined;
  const names = useNames([
    ...typing.slice(0, 2),
    ...(author === undefined ? [] : [author]),
    ...(inviter ? [inviter] : []),
  ]);

  if (membership.state === "invited") {
    const name = inviter === undefined ? undefined : names(inviter) || inviter;
    return (
      <span className={styles.words} dir="auto">
        {name === undefined ? t("invited") : t("invitedBy", { name })}
      </span>
    );
  }
  if (typing.length > 0)
    return (
      <span className={cx(styles.words, styles.typing)} dir="auto">
        {typingText(typing, names)}
      </span>
    );
  const begun = draft?.parts?.map(gistOfPart).find((each) => each !== "");
  if (begun !== undefined) {
    return (
      <span className={cx(styles.words, styles.draft)} dir="auto">
        <Icon name="edit" size={13} />
        {t("draft", { text: begun })}
      </span>
    );
  }
  if (last === undefined)
    return (
      <span className={styles.words} dir="auto">
        {conversation.topic ?? ""}
      </span>
    );
  const text = gist(last);
  if (author !== undefined && author === me)
    return (
      <span className={styles.words} dir="auto">
        {t("you", { text })}
      </span>
    );
  if (author === undefined || conversation.kind === "direct")
    return (
      <span className={styles.words} dir="auto">
        {text}
      </span>
    );
  return (
    <span className={styles.words} dir="auto">
      {t("by", { name: names(author) || author, text })}
    </span>
  );
}
