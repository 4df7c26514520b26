import type { MessageItem, Message as Said, User } from "hubbub/chat";
import { useUser } from "hubbub/react";
import { memo, type ReactNode, useState } from "react";
import { href } from "../app/routes.ts";
import { gist } from "../conversations/look.ts";
import { formatDay, formatRelative, formatTime, useTexts } from "../i18n/index.ts";
import { Avatar, Badge, Button, cx, Icon, tip, toastError } from "../ui/index.ts";
import { EditForm } from "./EditForm.tsx";
import styles from "./Message.module.css";
import { Previews } from "./parts/Links.tsx";
import { Parts } from "./parts/Parts.tsx";
import { Quote } from "./Quote.tsx";
import { Reactions } from "./Reactions.tsx";
import { useRoom } from "./room.ts";
import type { Row } from "./rows.ts";
import { Mark } from "./Text.tsx";
import { Toolbar } from "./Toolbar.tsx";
import { texts } from "./texts.ts";

export interface MessageProps {
  row: Row;
  index: number;
  tabIndex: 0 | -1;
  /** Pointed at or focused: its toolbar is shown. */
  hot: boolean;
  /** One has jumped to it. */
  pointedOut: boolean;
}

/** A message in a list, with what stands before it: the day, and that it is new. */
export const Message = memo(function Message({ row, index, tabIndex, hot, pointedOut }: MessageProps) {
  const t = useTexts(texts);
  const { item, day, fresh, head } = row;
  const { message } = item;
  const { me, editing } = useRoom();
  const user = useUser(message.sender);
  const name = nameOf(user, message, t("server"));
  const mentioned = me !== undefined && mentions(message, me);
  return (
    <>
      {day !== undefined && (
        <div className={styles.day} role="presentation">
          <span>{formatDay(day)}</span>
        </div>
      )}
      {fresh && (
        <div className={styles.fresh}>
          <span>{t("newMessages")}</span>
        </div>
      )}
      <article
        tabIndex={tabIndex}
        data-row={index}
        data-message={row.key}
        data-seq={message.seq || undefined}
        aria-label={t("by", { name, time: formatTime(message.created) })}
        aria-keyshortcuts="R T E A F P B Delete"
        className={cx(
          styles.message,
          head ? styles.head : styles.next,
          hot && styles.hot,
          pointedOut && styles.pointedOut,
          mentioned && styles.mentioned,
          message.kind === "system" && styles.system,
          item.status === "failed" && styles.failed,
        )}
      >
        {message.kind === "system" ? (
          <SystemMessage message={message} />
        ) : (
          <>
            <span className={styles.gutter}>
              {head ? (
                <Avatar id={message.sender ?? "server"} name={name} src={user?.avatar} size={36} />
              ) : (
                <time className={styles.sideTime} dateTime={iso(message)} aria-hidden="true">
                  {formatTime(message.created)}
                </time>
              )}
            </span>
            <div className={styles.content}>
              {head && <Head message={message} user={user} name={name} />}
              {message.deleted === undefined ? (
                editing === item.key ? (
                  <EditForm item={item} />
                ) : (
                  <Body item={item} />
                )
              ) : (
                <p className={styles.tombstone}>
                  <Icon name="trash" size={14} /> {t("deleted")}
                </p>
              )}
              <Below item={item} />
            </div>
          </>
        )}
        {hot && editing !== item.key && message.seq !== 0 && message.deleted === undefined && (
          <Toolbar item={item} />
        )}
      </article>
    </>
  );
});

export function nameOf(user: User | undefined, message: Said, server: string): string {
  return user?.name || message.sender || server;
}

const iso = (message: Said) => new Date(message.created * 1000).toISOString();

function mentions(message: Said, me: string): boolean {
  const { mentions } = message;
  if (mentions === undefined || message.sender === me) return false;
  return mentions.users?.includes(me) === true || mentions.everyone !== undefined;
}

function Head({ message, user, name }: { message: Said; user: User | undefined; name: string }) {
  const t = useTexts(texts);
  const { conversation } = useRoom();
  const kind = user?.kind ?? "person";
  const { created } = message;
  return (
    <div className={styles.headLine}>
      {message.sender === null ? (
        <span className={styles.name}>{name}</span>
      ) : (
        <a
          className={styles.name}
          href={href({ view: "conversation", conversation, pane: { kind: "user", user: message.sender } })}
        >
          <bdi>{name}</bdi>
        </a>
      )}
      {kind !== "person" && <Badge>{kind === "agent" ? t("agent") : t("bot")}</Badge>}
      <time
        className={styles.time}
        dateTime={iso(message)}
        {...tip(`${formatDay(created)}, ${formatTime(created)}`)}
      >
        {formatTime(created)}
      </time>
      <Marks message={message} />
    </div>
  );
}

/** What is to be known of a message besides what it says. */
function Marks({ message }: { message: Said }) {
  const t = useTexts(texts);
  const { bookmarked } = useRoom();
  const { options = {}, annotations } = message;
  const pinner = useUser(annotations?.pin?.by);
  return (
    <>
      {annotations?.pin !== undefined && (
        <span {...tip(t("pinnedBy", { name: pinner?.name || annotations.pin.by || t("server") }))}>
          <Mark icon="pin">{t("pinned")}</Mark>
        </span>
      )}
      {bookmarked.has(message.seq) && (
        <span className={styles.sign} role="img" aria-label={t("bookmarked")} {...tip(t("bookmarked"))}>
          <Icon name="bookmark" size={13} />
        </span>
      )}
      {options.silent === true && (
        <span className={styles.sign} role="img" aria-label={t("silent")} {...tip(t("silent"))}>
          <Icon name="bellOff" size={13} />
        </span>
      )}
      {options.expires !== undefined && (
        <Mark icon="clock">{t("expires", { when: formatRelative(options.expires) })}</Mark>
      )}
      {options.imported === true && (
        <span className={styles.sign} role="img" aria-label={t("imported")} {...tip(t("imported"))}>
          <Icon name="archive" size={13} />
        </span>
      )}
      {options.masked === true && (
        <span className={styles.sign} role="img" aria-label={t("masked")} {...tip(t("masked"))}>
          <Icon name="shield" size={13} />
        </span>
      )}
    </>
  );
}

/** What a message says. */
export function Body({ item }: { item: MessageItem }) {
  const t = useTexts(texts);
  const { blocked } = useRoom();
  const [shown, setShown] = useState(false);
  const { message } = item;
  if (!shown && message.sender !== null && blocked.has(message.sender)) {
    return (
      <p className={styles.tombstone}>
        {t("blocked")}{" "}
        <Button size="s" tone="plain" onClick={() => setShown(true)}>
          {t("showBlocked")}
        </Button>
      </p>
    );
  }
  const { forwarded } = message.options ?? {};
  return (
    <div className={cx(styles.body, item.status !== "sent" && item.status !== "failed" && styles.pending)}>
      {message.reply_to !== undefined && <Quote seq={message.reply_to} />}
      {forwarded !== undefined && <Forwarded sender={forwarded.sender} />}
      <Parts item={item} edited={message.edited === undefined ? null : <Edited item={item} />} />
      <Previews message={message} />
    </div>
  );
}

function Edited({ item }: { item: MessageItem }) {
  const t = useTexts(texts);
  const { act } = useRoom();
  const when = formatRelative(item.message.edited ?? 0);
  return (
    <button
      type="button"
      className={styles.edited}
      aria-label={t("editedAt", { when })}
      {...tip(t("editedAt", { when }))}
      onClick={() => act("versions", item)}
    >
      ({t("edited")})
    </button>
  );
}

function Forwarded({ sender }: { sender: string | null }) {
  const t = useTexts(texts);
  const user = useUser(sender);
  return (
    <p className={styles.forwarded}>
      <Icon name="forward" size={14} />
      {sender === null ? t("forwardedAnonymous") : t("forwarded", { name: user?.name || sender })}
    </p>
  );
}

/** What stands below: why it is not sent, reactions, its thread, who has read it. */
function Below({ item }: { item: MessageItem }) {
  const t = useTexts(texts);
  const room = useRoom();
  const { message, status } = item;
  const { chat, thread } = room;
  return (
    <>
      {(message.reactions?.length ?? 0) > 0 && message.deleted === undefined && <Reactions item={item} />}
      {thread === undefined && (message.replies ?? 0) > 0 && <ThreadLink message={message} />}
      {status === "held" && (
        <p className={styles.trouble}>
          <Icon name="shield" size={14} /> {t("held")}
          <Button
            size="s"
            tone="plain"
            onClick={() =>
              void chat.call("holds.withdraw", { hold: item.key.replace(/^hold:/, "") }).catch(toastError)
            }
          >
            {t("withdraw")}
          </Button>
        </p>
      )}
      {status === "failed" && item.outboxId !== undefined && (
        <p className={cx(styles.trouble, styles.danger)} role="alert">
          <Icon name="warning" size={14} />
          {t(message.seq === 0 ? "notSent" : "notChanged", { reason: item.error?.message ?? "" })}
          <Button size="s" tone="plain" icon="refresh" onClick={() => chat.retry(item.outboxId ?? "")}>
            {t("retry")}
          </Button>
          <Button size="s" tone="plain" icon="trash" onClick={() => chat.discard(item.outboxId ?? "")}>
            {t("discard")}
          </Button>
        </p>
      )}
      <Status item={item} />
    </>
  );
}

/** One's own messages: whether they wait, are sent, or are read. */
function Status({ item }: { item: MessageItem }): ReactNode {
  const t = useTexts(texts);
  const { me, view, act } = useRoom();
  const { message, status, receipts } = item;
  if (message.sender !== me || message.deleted !== undefined || status === "failed" || status === "held")
    return null;
  if (status === "queued" || status === "sending") {
    return (
      <span className={styles.status} role="img" aria-label={t(status)} {...tip(t(status))}>
        <Icon name="clock" size={13} />
      </span>
    );
  }
  if (message.thread !== undefined) return null;
  const direct = view?.conversation.kind === "direct";
  const said =
    receipts.read > 0
      ? direct
        ? t("readDirect")
        : t("read", { count: receipts.read })
      : receipts.delivered > 0
        ? t("delivered")
        : t("sent");
  return (
    <button
      type="button"
      tabIndex={-1}
      className={cx(styles.status, receipts.read > 0 && styles.read)}
      aria-label={said}
      {...tip(said)}
      onClick={() => act("readers", item)}
    >
      <Icon name={receipts.delivered > 0 || receipts.read > 0 ? "checks" : "check"} size={14} />
      {!direct && receipts.read > 0 && <span>{receipts.read}</span>}
    </button>
  );
}

function ThreadLink({ message }: { message: Said }) {
  const t = useTexts(texts);
  const { conversation } = useRoom();
  return (
    <a
      className={styles.thread}
      href={href({ view: "conversation", conversation, pane: { kind: "thread", root: message.seq } })}
    >
      <Icon name="thread" size={15} />
      <span className={styles.replies}>{t("replies", { count: message.replies ?? 0 })}</span>
      {message.last_reply !== undefined && (
        <span className={styles.lastReply}>
          {t("lastReply", { when: formatRelative(message.last_reply) })}
        </span>
      )}
    </a>
  );
}

function SystemMessage({ message }: { message: Said }) {
  return (
    <p className={styles.systemText}>
      {gist(message)} <time dateTime={iso(message)}>{formatTime(message.created)}</time>
    </p>
  );
}
