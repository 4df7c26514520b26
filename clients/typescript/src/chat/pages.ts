/** What is read of messages, in pages and one by one. Pure. */

import type { LogEvent, Message, MessagePage, MyConversation, Sent } from "../generated/chat.js";
import { admit, touch } from "./log.js";
import { type ChatState, type ConversationState, MAIN, patch, put } from "./state.js";
import { join, type Segment, segmentAt, tail } from "./timeline.js";

/** Which page was asked for: as `messages.list` has it. Without any of them it is the newest. */
export interface Asked {
  readonly before?: number;
  readonly after?: number;
  readonly around?: number;
}

function extent(page: MessagePage, asked: Asked): Segment {
  const seqs = page.messages.map((each) => each.seq);
  const from = page.more_before ? seqs[0] : 0;
  const to = page.more_after ? seqs[seqs.length - 1] : Number.POSITIVE_INFINITY;
  if (asked.before !== undefined) return { from: from ?? asked.before, to: asked.before - 1, seqs };
  if (asked.after !== undefined) return { from: asked.after + 1, to: to ?? asked.after, seqs };
  return { from: from ?? Number.POSITIVE_INFINITY, to: to ?? Number.POSITIVE_INFINITY, seqs };
}

/** What was read may be older than these events, which have been applied since it was asked for. */
function again(conversation: ConversationState, since: readonly LogEvent[]): ConversationState {
  return since.reduce((known, event) => {
    const next = touch(known, event);
    // What can only be thrown away once.
    return event.type === "user.erased" ? known : next;
  }, conversation);
}

/** With a page of a timeline, joined with what is known of it. */
export function applyPage(
  state: ChatState,
  id: string,
  thread: number,
  page: MessagePage,
  asked: Asked,
  since: readonly LogEvent[],
): ChatState {
  return patch(state, id, (conversation) => {
    const shown = page.messages.filter((each) => !conversation.hidden.has(each.seq));
    const segment = extent({ ...page, messages: shown }, asked);
    if (segment.from > segment.to) return conversation;
    const timeline = join(conversation.timelines.get(thread) ?? [], segment);
    const timelines = put(conversation.timelines, thread, timeline);
    return again({ ...conversation, timelines, book: conversation.book.with(...shown) }, since);
  });
}

/** With messages that were asked for one by one; those that are not there (`gone`) are not shown any more. */
export function applyMessages(
  state: ChatState,
  id: string,
  messages: readonly Message[],
  asked: readonly number[],
  since: readonly LogEvent[],
): ChatState {
  return patch(state, id, (conversation) => {
    const wanted = conversation.wanted.filter((each) => !asked.includes(each));
    let next: ConversationState = { ...conversation, wanted };
    for (const message of messages) {
      if (next.hidden.has(message.seq)) continue;
      const needed = next.pins?.includes(message.seq) || next.last === message.seq;
      next = needed ? { ...next, book: next.book.with(message) } : next;
      next = admit(next, message);
    }
    return again(next, since);
  });
}

/** With messages that are shown apart from their timeline: the root of a thread that is open. */
export function applyKept(
  state: ChatState,
  id: string,
  messages: readonly Message[],
  since: readonly LogEvent[],
): ChatState {
  return patch(state, id, (conversation) =>
    again({ ...conversation, book: conversation.book.with(...messages) }, since),
  );
}

/** With what is pinned, the last pinned first. */
export function applyPins(
  state: ChatState,
  id: string,
  messages: readonly Message[],
  since: readonly LogEvent[],
): ChatState {
  return patch(state, id, (conversation) => {
    const pins = messages.map((each) => each.seq);
    return again({ ...conversation, pins, book: conversation.book.with(...messages) }, since);
  });
}

/** What a conversation is now, as it was read: its counters, unless they are older than what is known. */
export function applyConversation(state: ChatState, mine: MyConversation): ChatState {
  return patch(state, mine.conversation.id, (known) => {
    const { seq = 0 } = mine.conversation;
    // Events that are not here yet have been counted in it, or it knows nothing of the last ones: later, again.
    if (seq !== known.seq) return seq < known.seq ? known : { ...known, unsure: true };
    const last = mine.last_message;
    const book = last && !known.book.has(last.seq) ? known.book.with(last) : known.book;
    const { conversation, membership } = mine;
    return { ...known, conversation, membership, last: last?.seq, book, unsure: false };
  });
}

/** A message of the user's own was sent: it is shown under its `key` from now on. */
export function applySent(state: ChatState, { message }: Sent, key: string): ChatState {
  return patch(state, message.conversation, (conversation) => {
    const next = { ...conversation, keys: put(conversation.keys, message.seq, key) };
    // What is older than the log as it is known is where it belongs already, but for what no event tells.
    const told = message.number !== undefined || message.thread_number !== undefined;
    return told && message.seq <= conversation.seq ? next : admit(next, message);
  });
}

/** What of a conversation's messages is held by nobody is let go of; of its end, `keep` messages are left. */
export function applyTrim(
  state: ChatState,
  id: string,
  held: readonly { readonly thread: number; readonly place: number }[],
  keep: number,
): ChatState {
  return patch(state, id, (conversation) => {
    const timelines = new Map<number, readonly Segment[]>();
    for (const [thread, timeline] of conversation.timelines) {
      const here = held.filter((each) => each.thread === thread);
      const kept = timeline.filter((each) =>
        here.some((one) => each.from <= one.place && one.place <= each.to),
      );
      const end = segmentAt(timeline, Number.POSITIVE_INFINITY);
      if (thread === MAIN && keep > 0 && end && !kept.includes(end)) kept.push(tail(end, keep));
      if (kept.length > 0) timelines.set(thread, kept);
    }
    const seqs = new Set<number>(conversation.pins);
    if (conversation.last !== undefined) seqs.add(conversation.last);
    for (const [thread, timeline] of timelines) {
      if (thread !== MAIN) seqs.add(thread);
      for (const each of timeline) for (const seq of each.seqs) seqs.add(seq);
    }
    const keys = new Map([...conversation.keys].filter(([seq]) => seqs.has(seq)));
    return { ...conversation, timelines, keys, book: conversation.book.only(seqs) };
  });
}
