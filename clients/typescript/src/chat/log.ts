/** What the events of a conversation's log do, as src/hubbub/chat/events.py has it. Pure. */

import type { Annotations, LogEvent, Message, MyMembership, Receipt, Receipts } from "../generated/chat.js";
import { Book } from "./book.js";
import {
  type ChatState,
  type ConversationState,
  drop,
  MAIN,
  patch,
  place,
  put,
  stale,
  type ThreadState,
} from "./state.js";
import { cut, insert, remove, segmentAt } from "./timeline.js";

type Amends<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** With other values; what is undefined is left out, as on the wire. */
export function amended<T extends object>(value: T, changes: Amends<T>): T {
  const next = { ...value, ...changes } as T;
  for (const key of Object.keys(changes) as (keyof T)[]) if (next[key] === undefined) delete next[key];
  return next;
}

/** What is left of a message that is deleted at `time`. */
export function tombstone(message: Message, time: number): Message {
  const gone = { parts: undefined, mentions: undefined, reactions: undefined, annotations: undefined };
  return amended(message, { ...gone, deleted: time });
}

/** What an event makes of a message that is known. */
export function changed(message: Message, event: LogEvent): Message {
  switch (event.type) {
    case "message.created":
      return event.message.thread === message.seq
        ? amended(message, { replies: event.replies, last_reply: event.message.created })
        : message;
    case "message.updated":
      if (event.message.seq !== message.seq) return message;
      return event.withheld
        ? amended(event.message, {
            parts: message.parts,
            mentions: message.mentions,
            annotations: withPreviews(event.message.annotations, message.annotations),
          })
        : event.message;
    case "message.deleted":
      return event.message.seq === message.seq ? event.message : message;
    case "reactions.changed":
      return event.message === message.seq ? amended(message, { reactions: event.reactions }) : message;
    case "message.annotated":
      if (event.message !== message.seq) return message;
      return amended(message, {
        annotations: event.withheld
          ? withPreviews(event.annotations, message.annotations)
          : event.annotations,
      });
    case "messages.expunged":
      return message.seq <= event.through && message.deleted === undefined
        ? tombstone(message, event.time)
        : message;
    default:
      return message;
  }
}

/** What stands on a message of which the previews were not told: those that are known stay. */
function withPreviews(now: Annotations | undefined, known: Annotations | undefined): Annotations | undefined {
  return known?.previews === undefined ? now : { ...now, previews: known.previews };
}

/** Whether a message mentions a user; undefined where that hangs on what only the server knows. */
export function mentioned(message: Message, user: string): boolean | undefined {
  const { users = [], everyone, groups = [] } = message.mentions ?? {};
  if (users.includes(user) || everyone === "all") return true;
  return everyone === "here" || groups.length > 0 ? undefined : false;
}

/** With a message in its place, where that is known. */
export function admit(conversation: ConversationState, message: Message): ConversationState {
  const at = message.thread ?? MAIN;
  const timeline = conversation.timelines.get(at);
  const covered = segmentAt(timeline, message.seq) !== undefined && !conversation.hidden.has(message.seq);
  if (!covered && !conversation.book.has(message.seq)) return conversation;
  const timelines =
    covered && timeline
      ? put(conversation.timelines, at, insert(timeline, message.seq))
      : conversation.timelines;
  return { ...conversation, timelines, book: conversation.book.with(message) };
}

/** Without a message: the user has deleted it for itself. */
export function hide(conversation: ConversationState, seq: number): ConversationState {
  const timelines = new Map([...conversation.timelines].map(([at, each]) => [at, remove(each, seq)]));
  const last = conversation.last === seq ? undefined : conversation.last;
  const pins = conversation.pins?.filter((each) => each !== seq);
  return { ...conversation, timelines, last, pins, hidden: new Set([...conversation.hidden, seq]) };
}

/**
 * What an event does to the messages that are known. It may be done again after a page was read that is as old as the
 * time before the event.
 */
export function touch(conversation: ConversationState, event: LogEvent): ConversationState {
  const { book, pins } = conversation;
  switch (event.type) {
    case "message.created": {
      const { message } = event;
      const root = message.thread === undefined ? undefined : book.get(message.thread);
      let next = root ? { ...conversation, book: book.with(changed(root, event)) } : conversation;
      if (message.number !== undefined && message.seq > (conversation.last ?? 0)) {
        next = { ...next, last: message.seq, book: next.book.with(message) };
      }
      return admit(next, message);
    }
    case "message.updated": {
      const old = book.get(event.message.seq);
      if (!old) return conversation;
      const next = { ...conversation, book: book.with(changed(old, event)) };
      return event.withheld ? want(next, old.seq) : next;
    }
    case "message.deleted":
    case "reactions.changed":
    case "message.annotated": {
      const seq = event.type === "message.deleted" ? event.message.seq : event.message;
      const old = book.get(seq);
      let next = old ? { ...conversation, book: book.with(changed(old, event)) } : conversation;
      if (old && event.type === "message.annotated" && event.withheld) next = want(next, seq);
      if (!pins) return next;
      const others = pins.filter((each) => each !== seq);
      if (event.type === "message.deleted") return { ...next, pins: others };
      if (event.type === "reactions.changed" || event.what !== "pin") return next;
      if (!event.annotations?.pin || conversation.hidden.has(seq)) return { ...next, pins: others };
      const pinned = { ...next, pins: [seq, ...others] };
      return old ? pinned : want(pinned, seq);
    }
    case "message.withheld":
      // It may be one's own, from another device; others are told that it is not there.
      return conversation.timelines.size > 0 ? want(conversation, event.message) : conversation;
    case "messages.expunged": {
      const { through } = event;
      const main = conversation.timelines.get(MAIN);
      return {
        ...conversation,
        book: book.with(...[...book].map((each) => changed(each, event))),
        timelines: main ? put(conversation.timelines, MAIN, cut(main, through)) : conversation.timelines,
        pins: pins?.filter((each) => each > through),
      };
    }
    case "user.erased":
      return forgotten(conversation);
    default:
      return conversation;
  }
}

/** Without anything that was said: it is to be read anew. */
export function forgotten(conversation: ConversationState): ConversationState {
  return {
    ...conversation,
    last: undefined,
    book: Book.empty,
    timelines: new Map(),
    pins: undefined,
    wanted: [],
    unsure: true,
    generation: conversation.generation + 1,
  };
}

function want(conversation: ConversationState, seq: number): ConversationState {
  if (conversation.wanted.includes(seq)) return conversation;
  return { ...conversation, wanted: [...conversation.wanted, seq] };
}

/** Cursors that have moved; they only go forward. */
export function move(
  readers: ReadonlyMap<string, Receipt>,
  moved: readonly Receipt[],
): ReadonlyMap<string, Receipt> {
  let next = readers;
  for (const { user, read, delivered } of moved) {
    const old = readers.get(user);
    if (old && old.read >= read && old.delivered >= delivered) continue;
    const receipt = {
      user,
      read: Math.max(old?.read ?? 0, read),
      delivered: Math.max(old?.delivered ?? 0, delivered),
    };
    next = put(next, user, receipt);
  }
  return next;
}

/** What an event does to the conversation itself, to its members and to what it is to `user`. */
function count(conversation: ConversationState, event: LogEvent, user: string): ConversationState {
  const { membership } = conversation;
  switch (event.type) {
    case "conversation.updated":
      return { ...conversation, conversation: event.updated };
    case "member.changed": {
      const { member } = event;
      const about = amended(conversation.conversation, { members: event.members });
      const receipt = { user: member.user, read: member.read ?? 0, delivered: member.delivered ?? 0 };
      const readers =
        member.state === "left" || member.state === "invited"
          ? drop(conversation.readers, member.user)
          : put(conversation.readers, member.user, receipt);
      const mine: MyMembership =
        member.user === user && !conversation.guest && member.state !== "left"
          ? { ...membership, state: member.state ?? "joined", role: member.role ?? "member" }
          : membership;
      return { ...conversation, conversation: about, readers, membership: mine };
    }
    case "message.created": {
      const { message } = event;
      if (message.number === undefined) return conversation;
      const about = {
        ...conversation.conversation,
        messages: message.number,
        last_message: message.seq,
        last_activity: message.created,
      };
      const sent = message.sender
        ? [{ user: message.sender, read: message.seq, delivered: message.seq }]
        : [];
      const readers = move(
        conversation.readers,
        sent.filter((each) => conversation.readers.has(each.user)),
      );
      const next = { ...conversation, conversation: about, readers };
      if (message.sender === user) {
        const { unread: _, mentions: __, ...rest } = membership;
        return { ...next, membership: { ...rest, read: message.seq, delivered: message.seq } };
      }
      const named = mentioned(message, user);
      const unread = (membership.unread ?? 0) + 1;
      const mentions = (membership.mentions ?? 0) + (named ? 1 : 0);
      return {
        ...next,
        membership: amended(membership, { unread, mentions: mentions || undefined }),
        unsure: next.unsure || named === undefined,
      };
    }
    case "message.updated": {
      const old = conversation.book.get(event.message.seq);
      const was = old && mentioned(old, user);
      const unread = event.message.number !== undefined && event.message.seq > (membership.read ?? 0);
      const same = old && !event.withheld && was !== undefined && was === mentioned(event.message, user);
      return unread && !same ? { ...conversation, unsure: true } : conversation;
    }
    case "message.deleted": {
      const { number, seq } = event.message;
      if (number === undefined || seq <= (membership.read ?? 0)) return conversation;
      const old = conversation.book.get(seq);
      const named = old ? mentioned(old, user) : membership.mentions ? undefined : false;
      const unread = Math.max((membership.unread ?? 0) - 1, 0);
      const mentions = Math.max((membership.mentions ?? 0) - (named ? 1 : 0), 0);
      return {
        ...conversation,
        membership: amended(membership, { unread: unread || undefined, mentions: mentions || undefined }),
        unsure: conversation.unsure || named === undefined,
      };
    }
    case "messages.expunged":
      return {
        ...conversation,
        conversation: { ...conversation.conversation, expunged: event.through },
        unsure: conversation.unsure || (membership.unread ?? 0) > 0,
      };
    default:
      return conversation;
  }
}

/** What an event does to a thread that one follows. */
function thread(known: ThreadState, event: LogEvent, user: string): ThreadState {
  const root = changed(known.root, event);
  const message =
    event.type === "message.created" || event.type === "message.deleted" ? event.message : undefined;
  let { read, unread } = known;
  if (message?.thread === known.root.seq) {
    if (event.type === "message.deleted") unread -= message.seq > read ? 1 : 0;
    else if (message.sender === user) [read, unread] = [message.seq, 0];
    else unread += 1;
  }
  return root === known.root && read === known.read && unread === known.unread
    ? known
    : { ...known, root, read, unread: Math.max(unread, 0) };
}

/**
 * The state after an event of a conversation's log. One that is known changes nothing. The caller sees to it that none
 * is left out in between.
 */
export function applyLog(state: ChatState, event: LogEvent): ChatState {
  const before = state.conversations.get(event.conversation);
  if (before === undefined || event.seq <= before.seq) return state;
  let next = patch(state, event.conversation, (conversation) => {
    const counted = touch(count(conversation, event, state.user), event);
    return { ...counted, seq: event.seq, conversation: { ...counted.conversation, seq: event.seq } };
  });
  let threads = state.threads;
  for (const key of threadsOf(state, event)) {
    const known = threads.get(key);
    if (known) threads = put(threads, key, thread(known, event, state.user));
  }
  if (threads !== state.threads) next = { ...next, threads };
  return event.type === "user.erased" || event.type === "messages.expunged" ? stale(next, "threads") : next;
}

function threadsOf(state: ChatState, event: LogEvent): string[] {
  const { conversation } = event;
  switch (event.type) {
    case "message.created":
      return event.message.thread === undefined ? [] : [place(conversation, event.message.thread)];
    case "message.updated":
    case "message.deleted":
      return [place(conversation, event.message.seq), place(conversation, event.message.thread)];
    case "reactions.changed":
    case "message.annotated":
      return [place(conversation, event.message)];
    case "messages.expunged":
      return [...state.threads.keys()].filter((key) => state.threads.get(key)?.conversation === conversation);
    default:
      return [];
  }
}

/** What has moved of receipts. */
export function applyReceipts(state: ChatState, event: Receipts): ChatState {
  return patch(state, event.conversation, (conversation) => {
    const { receipts = [], message, read = 0, delivered = 0 } = event;
    if (message !== undefined) {
      if (message < (conversation.counts?.message ?? 0)) return conversation;
      return { ...conversation, counts: { message, read, delivered } };
    }
    const readers = move(conversation.readers, receipts);
    if (readers === conversation.readers) return conversation;
    // What has come to another device of the user's; of what was read there its inbox tells.
    const mine = receipts.find((each) => each.user === state.user);
    const here = Math.max(conversation.membership.delivered ?? 0, mine?.delivered ?? 0);
    const membership = mine ? { ...conversation.membership, delivered: here } : conversation.membership;
    return { ...conversation, readers, membership };
  });
}
