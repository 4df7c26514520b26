/** Messages as rows: which begin a day, a group, or what is new. Pure. */

import type { MessageItem } from "hubbub/chat";

export interface Row {
  readonly key: string;
  readonly item: MessageItem;
  /** Seconds: it is the first of this day. */
  readonly day: number | undefined;
  /** What is new begins here. */
  readonly fresh: boolean;
  /** It has a head: who has written it, and when. The next ones of a group do not repeat it. */
  readonly head: boolean;
}

/** Seconds without a word, after which the head is repeated. */
const PAUSE = 300;

/** The midnight at which the day of a time began, as a number that is the same all day. */
function dayOf(time: number): number {
  return new Date(time * 1000).setHours(0, 0, 0, 0);
}

function follows(item: MessageItem, before: MessageItem): boolean {
  const [one, other] = [item.message, before.message];
  return (
    one.sender === other.sender &&
    one.kind !== "system" &&
    other.kind !== "system" &&
    one.reply_to === undefined &&
    one.options?.forwarded === undefined &&
    one.created - other.created < PAUSE
  );
}

/** The rows of these items. Those that are as they were `before` are the same objects. */
export function rowsOf(
  items: readonly MessageItem[],
  firstUnread: number | undefined,
  before: readonly Row[],
): readonly Row[] {
  const known = new Map(before.map((row) => [row.key, row]));
  let last: MessageItem | undefined;
  let lastDay: number | undefined;
  const rows = items.map((item): Row => {
    const today = dayOf(item.message.created);
    const day = today === lastDay ? undefined : item.message.created;
    const fresh = firstUnread !== undefined && item.message.seq === firstUnread;
    const head = last === undefined || day !== undefined || fresh || !follows(item, last);
    last = item;
    lastDay = today;
    const old = known.get(item.key);
    return old?.item === item && old.day === day && old.fresh === fresh && old.head === head
      ? old
      : { key: item.key, item, day, fresh, head };
  });
  const same = rows.length === before.length && rows.every((row, at) => row === before[at]);
  return same ? before : rows;
}

/** Pixels that a row will take, as far as one can say that of what was never shown: the list measures it then. */
export function heightOf(row: Row | undefined): number {
  if (row === undefined) return 0;
  const { message } = row.item;
  let height = row.head ? 36 : 4;
  if (row.day !== undefined) height += 34;
  if (row.fresh) height += 24;
  for (const part of message.deleted === undefined ? (message.parts ?? []) : []) {
    height += part.type === "text" ? linesOf(part.text) * LINE : PART;
  }
  if (message.reply_to !== undefined) height += LINE;
  if ((message.reactions?.length ?? 0) > 0) height += 32;
  if ((message.replies ?? 0) > 0) height += 30;
  return height;
}

/** Pixels of a line of text, and of a part that is none. */
const LINE = 22;
const PART = 140;
const LETTERS = 90; // of a line

function linesOf(text: string): number {
  let lines = 0;
  for (let from = 0; from <= text.length; ) {
    const end = text.indexOf("\n", from);
    const to = end < 0 ? text.length : end;
    lines += Math.max(1, Math.ceil((to - from) / LETTERS));
    from = to + 1;
  }
  return lines;
}

/** How many of the others' messages are behind `seen`. */
export function newBehind(items: readonly MessageItem[], seen: number, me: string | undefined): number {
  let count = 0;
  for (let at = items.length - 1; at >= 0; at--) {
    const { message } = items[at] as MessageItem;
    if (message.seq !== 0 && message.seq <= seen) break;
    if (message.seq > seen && message.sender !== me) count += 1;
  }
  return count;
}
