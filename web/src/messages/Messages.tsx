import { useChat, useConversation, useMessages, useView } from "hubbub/react";
import { Suspense, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { useCommands } from "../app/commands.ts";
import { warmUp } from "../app/idle.ts";
import { onWish, placeOf, wish } from "../composer/wishes.ts";
import { useMyId, useTitle } from "../conversations/names.ts";
import { formatDay, useTexts } from "../i18n/index.ts";
import { Button, cx, EmptyState, Icon, Menu, Skeleton, Spinner } from "../ui/index.ts";
import { Dialogs } from "./Dialogs.tsx";
import { commandsOf, keysOf } from "./keysOf.ts";
import { Message } from "./Message.tsx";
import styles from "./Messages.module.css";
import { tokensOf } from "./markdown.ts";
import { type Room, RoomContext } from "./room.ts";
import { newBehind, type Row, rowsOf } from "./rows.ts";
import { Typing } from "./Typing.tsx";
import { texts } from "./texts.ts";
import { useDeeds } from "./useDeeds.ts";
import { useHeard } from "./useHeard.ts";

import { useScroll } from "./useScroll.ts";

export interface MessagesProps {
  conversation: string;
  /** The seq of a root: its replies instead of the main timeline. */
  thread?: number;
  /** The seq of a message to go to and point out. */
  jump?: number;
}

const NONE: readonly Row[] = [];
/** With more than so many unread ones one begins where one has stopped, and not at the end. */
const MANY = 40;

void warmUp(() => tokensOf("**One** `two` https://three.example/\n\n- four\n> five"));

/** The messages of a conversation or of a thread. */
export function Messages({ conversation, thread, jump }: MessagesProps) {
  const t = useTexts(texts);
  const chat = useChat();
  const view = useConversation(conversation);
  const me = useMyId();
  const title = useTitle(view);
  const window = useMessages(conversation, { thread });
  const { items, firstUnread, atStart, atEnd, loading, error, root } = window;

  const made = useRef(NONE);
  const all = useMemo(() => (root === undefined ? items : [root, ...items]), [root, items]);
  const rows = useMemo(() => {
    made.current = rowsOf(all, firstUnread, made.current);
    return made.current;
  }, [all, firstUnread]);

  const [focused, setFocused] = useState<string | null>(null);
  const [hot, setHot] = useState<string | null>(null);
  const under = useRef<string | null>(null); // the pointer
  const kept = focused === null ? -1 : rows.findIndex((row) => row.key === focused);
  const { scroller, list, pointed, jumpTo, toEnd, away, seen, first } = useScroll(
    window,
    rows,
    kept,
    t("notFound"),
  );

  // Begin where one has stopped, if there is much that is new.
  const [start] = useState(() =>
    thread === undefined && view?.membership.state === "joined" && view.unread > MANY
      ? view.membership.read
      : 0,
  );
  useLayoutEffect(() => {
    if (jump !== undefined) jumpTo(jump);
    else if (start !== undefined && start > 0) jumpTo(start, false);
  }, [jump, start, jumpTo]);

  const deeds = useDeeds(conversation, thread);
  const bookmarks = useView(chat.bookmarks);
  const blocks = useView(chat.blocks);
  const find = useRef((_seq: number) => undefined as (typeof items)[number]["message"] | undefined);
  find.current = (seq) => all.find((item) => item.message.seq === seq)?.message;
  const { act, editing, stopEditing } = deeds;
  const standing = useStanding(view);
  const bookmarked = useSteady(
    new Set(bookmarks.filter((each) => each.conversation === conversation).map((each) => each.message)),
  );
  const blocked = useSteady(new Set(blocks.map((each) => each.user)));
  const room = useMemo<Room>(
    () => ({
      chat,
      conversation,
      thread,
      view: standing,
      me,
      bookmarked,
      blocked,
      act,
      find: (seq) => find.current(seq),
      jumpTo,
      editing,
      stopEditing,
    }),
    [chat, conversation, thread, standing, me, bookmarked, blocked, act, jumpTo, editing, stopEditing],
  );

  const focusRow = useCallback(
    (at: number) => {
      const row = rows[at];
      if (row === undefined) return;
      list.scrollToIndex(at, { align: "auto" });
      flushSync(() => setFocused(row.key));
      scroller.current?.querySelector<HTMLElement>(`[data-row="${at}"]`)?.focus({ preventScroll: true });
    },
    [rows, list, scroller],
  );
  const keys = keysOf(room, rows, focusRow);
  useCommands(useMemo(() => commandsOf(t), [t]));
  useHeard(conversation, thread, me);

  // What passes under the pointer is not pointed at.
  const { isScrolling } = list;
  useEffect(() => {
    if (!isScrolling && under.current !== null) setHot(under.current);
  }, [isScrolling]);

  const place = placeOf(conversation, thread);
  useEffect(
    () =>
      onWish(place, (what) => {
        if (what.kind === "sent") toEnd();
        if (what.kind !== "editLast") return;
        const mine = rows.findLast(
          ({ item }) =>
            item.message.sender === me &&
            item.status === "sent" &&
            item.message.deleted === undefined &&
            item.message.parts?.some((part) => part.type === "text"),
        );
        if (mine === undefined) return;
        list.scrollToIndex(rows.indexOf(mine), { align: "auto" });
        act("edit", mine.item);
      }),
    [place, rows, me, list, act, toEnd],
  );

  const [dropping, setDropping] = useState(false);
  const count = away ? newBehind(items, seen, me) : 0;
  const more = thread === undefined && !atEnd ? Math.max(count, view?.unread ?? 0) : count;
  const day = rows[first]?.item.message.created;
  const label = thread !== undefined ? t("thread") : title === "" ? t("list") : t("listOf", { name: title });
  const shownRow = kept >= 0 ? kept : rows.length - 1;
  return (
    <RoomContext value={room}>
      <section
        className={cx(styles.frame, dropping && styles.dropping)}
        aria-label={label}
        onDragOver={(event) => {
          if (!event.dataTransfer.types.includes("Files")) return;
          event.preventDefault();
          setDropping(true);
        }}
        onDragLeave={(event) => {
          if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setDropping(false);
        }}
        onDrop={(event) => {
          setDropping(false);
          if (event.dataTransfer.files.length === 0) return;
          event.preventDefault();
          wish(place, { kind: "files", files: [...event.dataTransfer.files] });
        }}
      >
        {rows.length > 0 && day !== undefined && first > 0 && list.isScrolling && (
          <p className={styles.floatingDay} aria-hidden="true">
            <span>{formatDay(day)}</span>
          </p>
        )}
        {loading === "before" && rows.length > 0 && (
          <p className={styles.loadingMore}>
            <Spinner size={16} label={t("loading")} />
          </p>
        )}
        <div
          ref={scroller}
          role="log"
          aria-live="off"
          aria-label={label}
          aria-busy={loading !== undefined}
          className={styles.scroller}
          onKeyDown={keys}
          onWheel={list.cancelScroll} // who scrolls is not to be pulled back
          onTouchMove={list.cancelScroll}
          onPointerOver={(event) => {
            under.current = keyAt(event.target);
            if (!list.isScrolling) setHot(under.current);
          }}
          onPointerLeave={() => {
            under.current = null;
            setHot(null);
          }}
          onFocus={(event) => {
            const key = keyAt(event.target);
            if (key === null) return;
            setFocused(key);
            if (event.target.matches(":focus-visible")) setHot(key);
          }}
          onContextMenu={(event) => {
            const row = rows.find((each) => each.key === keyAt(event.target));
            const own = (event.target as Element).closest("a, img, input, textarea, pre") !== null;
            if (row === undefined || own || !getSelection()?.isCollapsed) return;
            event.preventDefault();
            const byKey = event.clientX === 0 && event.clientY === 0;
            act("menu", row.item, byKey ? (event.target as Element) : { x: event.clientX, y: event.clientY });
          }}
        >
          {rows.length === 0 ? (
            <Nothing state={error !== undefined ? "failed" : atStart && atEnd ? "empty" : "loading"}>
              {error?.message}
            </Nothing>
          ) : (
            <ol className={styles.list} style={{ blockSize: list.getTotalSize() }}>
              {list.getVirtualItems().map(({ index, key, start: at }) => {
                const row = rows[index];
                return row === undefined ? null : (
                  <li
                    key={key}
                    ref={list.measureElement}
                    data-index={index}
                    className={styles.row}
                    style={{ transform: `translateY(${at}px)` }}
                  >
                    {index === 0 && atStart && thread === undefined && (
                      <Beginning title={title} view={view} />
                    )}
                    <Message
                      row={row}
                      index={index}
                      tabIndex={index === shownRow ? 0 : -1}
                      hot={hot === row.key}
                      pointedOut={pointed === row.key}
                    />
                  </li>
                );
              })}
            </ol>
          )}
        </div>
        {away && (
          <button type="button" className={cx(styles.jump, more > 0 && styles.news)} onClick={toEnd}>
            <Icon name="chevronDown" size={16} />
            {more > 0 ? t("newCount", { count: more }) : t("toEnd")}
          </button>
        )}
        <Typing conversation={conversation} thread={thread} />
      </section>
      <Menu
        anchor={deeds.menu?.anchor ?? null}
        onClose={deeds.closeMenu}
        label={t("toolbar")}
        items={deeds.menu === null ? [] : deeds.itemsOf(room, deeds.menu.item)}
      />
      <Suspense fallback={null}>
        <Dialogs open={deeds.open} onClose={deeds.close} />
      </Suspense>
    </RoomContext>
  );
}

/** The conversation as far as messages look at it: the same object, whoever types or reads. */
function useStanding(view: Room["view"]): Room["view"] {
  const [kept, keep] = useState(view);
  const same =
    kept?.conversation.kind === view?.conversation.kind &&
    kept?.conversation.closed === view?.conversation.closed &&
    kept?.conversation.permissions === view?.conversation.permissions &&
    kept?.membership.state === view?.membership.state &&
    kept?.membership.role === view?.membership.role;
  if (!same) keep(view);
  return same ? kept : view;
}

/** The same set as long as the same things are in it. */
function useSteady<T>(set: ReadonlySet<T>): ReadonlySet<T> {
  const [kept, keep] = useState(set);
  const same = kept.size === set.size && [...set].every((each) => kept.has(each));
  if (!same) keep(set);
  return same ? kept : set;
}

const keyAt = (target: EventTarget): string | null =>
  (target as Element).closest("[data-message]")?.getAttribute("data-message") ?? null;

function Nothing({
  state,
  children,
}: {
  state: "loading" | "empty" | "failed";
  children?: string | undefined;
}) {
  const t = useTexts(texts);
  if (state === "loading") {
    return (
      <div className={styles.skeletons} role="status" aria-label={t("loading")}>
        {[2, 1, 3, 2, 1, 2].map((lines, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
          <div key={at} className={styles.skeleton}>
            <Skeleton width={36} height={36} />
            <Skeleton lines={lines + 1} />
          </div>
        ))}
      </div>
    );
  }
  const failed = state === "failed";
  return (
    <EmptyState
      icon={failed ? "warning" : "thread"}
      title={t(failed ? "failed" : "empty")}
      {...(failed && { action: <Button onClick={() => location.reload()}>{t("tryAgain")}</Button> })}
    >
      {children ?? t("emptyHint")}
    </EmptyState>
  );
}

function Beginning({ title, view }: { title: string; view: Room["view"] }) {
  const t = useTexts(texts);
  const direct = view?.conversation.kind === "direct";
  return (
    <div className={styles.beginning}>
      <p className={styles.beginningTitle}>{title}</p>
      <p>{t(direct ? "beginningDirect" : "beginning", { name: title })}</p>
      {view?.conversation.topic !== undefined && <p dir="auto">{view.conversation.topic}</p>}
    </div>
  );
}
