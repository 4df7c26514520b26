/** What a list of messages shows: what is confirmed, with what one has done to it since, then what is on its way. Pure. */

import type { HubbubError } from "../core/errors.js";
import type {
  DeleteMessage,
  EditMessage,
  Hold,
  Message,
  Part,
  React,
  ReactionCount,
  Receipt,
  SendMessage,
} from "../generated/chat.js";
import { amended, tombstone } from "./log.js";
import { type ConversationState, MAIN } from "./state.js";
import type { Segment } from "./timeline.js";

/** Where a message stands: `held` waits for a moderator; `sending`, `queued` and `failed` are of the outbox. */
export type ItemStatus = "sent" | "sending" | "queued" | "failed" | "held";

/** A message as it is shown. The object stays the same until something of it changes. */
export interface MessageItem {
  /** Stays the same from when it was written until it is confirmed, and then on: for React's `key`. */
  readonly key: string;
  /** What is not confirmed has a `seq` of 0. */
  readonly message: Message;
  readonly status: ItemStatus;
  /** Why it failed. */
  readonly error?: HubbubError;
  /** For `chat.retry` and `chat.discard`. */
  readonly outboxId?: string;
  /** How many of the others have read it, and on whose devices it is. In large conversations of the newest only. */
  readonly receipts: { readonly read: number; readonly delivered: number };
}

/** What may be in the outbox of a chat. */
export type Intent =
  | { readonly method: "chat.messages.send"; readonly params: SendMessage }
  | { readonly method: "chat.messages.edit"; readonly params: EditMessage }
  | { readonly method: "chat.messages.delete"; readonly params: DeleteMessage }
  | { readonly method: "chat.reactions.add" | "chat.reactions.remove"; readonly params: React };

/** Something that is on its way. `added` is in Unix seconds by the server's clock, as far as that is known. */
export type Pending = Intent & {
  /** Of the entry in the outbox. */
  readonly id: string;
  readonly key: string;
  readonly state: "queued" | "sending" | "failed";
  readonly error?: HubbubError;
  readonly added: number;
  /** The seq of the conversation when it was written; absent for what was in the outbox before. */
  readonly since?: number;
  /** It is done, and only the event that says so is not here yet. */
  readonly done?: boolean;
  /** That a done edit has made; several in a row are told apart by it alone. */
  readonly version?: number;
};

type Sending = Pending & { readonly method: "chat.messages.send" };

function isSending(pending: Pending): pending is Sending {
  return pending.method === "chat.messages.send";
}

/** The message as it will be when `pending` is done; undefined if it is then seen no more. */
export function overlaid(message: Message, pending: Pending, user: string): Message | undefined {
  switch (pending.method) {
    case "chat.messages.edit": {
      const parts = pending.params.parts as readonly Part[];
      return message.deleted === undefined ? { ...message, parts, edited: pending.added } : message;
    }
    case "chat.messages.delete":
      if (pending.params.for === "me") return undefined;
      return message.deleted === undefined ? tombstone(message, pending.added) : message;
    case "chat.reactions.add":
    case "chat.reactions.remove": {
      if (message.deleted !== undefined) return message;
      const adds = pending.method === "chat.reactions.add";
      const reactions = reacted(message.reactions ?? [], pending.params.name, user, adds);
      return reactions === message.reactions ? message : amended(message, { reactions });
    }
    default:
      return message;
  }
}

function reacted(
  before: readonly ReactionCount[],
  name: string,
  user: string,
  adds: boolean,
): readonly ReactionCount[] | undefined {
  const old = before.find((each) => each.name === name);
  if ((old?.users.includes(user) ?? false) === adds) return before;
  const users = adds ? [...(old?.users ?? []), user] : (old?.users.filter((each) => each !== user) ?? []);
  const now = { name, count: (old?.count ?? 0) + (adds ? 1 : -1), users };
  const all = old ? before.map((each) => (each === old ? now : each)) : [...before, now];
  const left = all.filter((each) => each.count > 0);
  return left.length > 0 ? left : undefined;
}

/** Whether what is known shows already what `pending` does. */
export function satisfied(
  conversation: ConversationState | undefined,
  pending: Pending,
  user: string,
): boolean {
  const params = pending.params;
  if (!conversation || !("message" in params)) return true;
  const message = conversation.book.get(params.message);
  if (!message || message.deleted !== undefined || conversation.hidden.has(params.message)) return true;
  if (pending.method === "chat.messages.edit") return (message.version ?? 1) >= (pending.version ?? 1);
  if (pending.method === "chat.messages.delete") return false;
  return overlaid(message, pending, user) === message;
}

/** Seconds by which clocks may disagree. */
const SLACK = 2;

/** Whether a confirmed message says what was sent: the server completes parts, so only some of it is compared. */
function alike(message: Message, sent: Sending): boolean {
  const parts = message.parts ?? [];
  const same = (one: object, other: object, field: string) => {
    const [a, b] = [one, other].map((each) => (each as Record<string, unknown>)[field]);
    return typeof a === "string" && typeof b === "string"
      ? a.normalize() === b.normalize()
      : typeof a === typeof b;
  };
  return (
    parts.length === sent.params.parts.length &&
    sent.params.parts.every((part, at) => {
      const other = parts[at] as Part;
      return ["type", "text", "file", "question"].every((field) => same(part, other, field));
    })
  );
}

/** Whether a message came after `sent` was written: by the log, for clocks may be wrong or set. */
function isLater(message: Message, { since, added }: Sending): boolean {
  return since === undefined ? message.created > added - SLACK : message.seq > since;
}

interface Cursors {
  readonly read: readonly number[];
  readonly delivered: readonly number[];
}

const cursors = new WeakMap<ReadonlyMap<string, Receipt>, Cursors>();

function cursorsOf(readers: ReadonlyMap<string, Receipt>): Cursors {
  let found = cursors.get(readers);
  if (found === undefined) {
    const all = [...readers.values()];
    const sorted = (of: (each: Receipt) => number) => all.map(of).sort((a, b) => b - a);
    found = { read: sorted((each) => each.read), delivered: sorted((each) => each.delivered) };
    cursors.set(readers, found);
  }
  return found;
}

/** How many of `descending` are at least `seq`. */
function reached(descending: readonly number[], seq: number): number {
  let low = 0;
  let high = descending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((descending[middle] as number) >= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many of the others have got a message. */
interface Receipts {
  readonly read: number;
  readonly delivered: number;
}

/** One object for each pair of numbers. */
const receipts = new Map<number, Receipts>();

function numbers(read: number, delivered: number): Receipts {
  const key = read * 4096 + delivered;
  let found = receipts.get(key);
  if (found === undefined || found.read !== read) {
    found = Object.freeze({ read, delivered });
    receipts.set(key, found);
  }
  return found;
}

const NONE = numbers(0, 0);

export function receiptsOf(conversation: ConversationState, message: Message): Receipts {
  const { readers, counts } = conversation;
  if (counts !== undefined && counts.message === message.seq) {
    const own = message.sender !== null ? 1 : 0;
    return numbers(Math.max(counts.read - own, 0), Math.max(counts.delivered - own, 0));
  }
  if (readers.size === 0) return NONE;
  const { read, delivered } = cursorsOf(readers);
  const sender = message.sender === null ? undefined : readers.get(message.sender);
  return numbers(
    reached(read, message.seq) - (sender && sender.read >= message.seq ? 1 : 0),
    reached(delivered, message.seq) - (sender && sender.delivered >= message.seq ? 1 : 0),
  );
}

/** An item, and what it was made of. `plain`: of a message to which nothing is being done. */
interface Shown {
  readonly item: MessageItem;
  readonly base: object;
  readonly by: unknown;
  readonly plain: boolean;
}

/** Makes the items of one list, and keeps those that did not change: what happens in a long list costs little. */
export class Items {
  #shown: readonly Shown[] = [];
  #list: readonly MessageItem[] = [];
  #of: ConversationState | undefined;

  /** `pending` and `holds` are those of the conversation. `newest`: without a segment, what is on its way is all there is. */
  of(
    conversation: ConversationState | undefined,
    thread: number,
    segment: Segment | undefined,
    pending: readonly Pending[],
    holds: readonly Hold[],
    user: string,
    newest = false,
  ): readonly MessageItem[] {
    const list = new Listing(this.#shown);
    const here = pending.filter(
      (each) => isSending(each) && (each.params.thread ?? MAIN) === thread,
    ) as Sending[];
    const ends = segment ? segment.to === Number.POSITIVE_INFINITY : newest;
    if (conversation && segment) {
      const arrived = ends ? arrivedOf(conversation, segment, here, user) : new Map<number, string>();
      const changes = changesOf(pending);
      const untouched = this.#of ? unchanged(this.#of, conversation) : -1;
      for (const seq of segment.seqs) {
        const message = conversation.book.get(seq);
        if (message === undefined) continue;
        const mine = changes.get(seq);
        if (seq <= untouched && !mine && list.keep(message)) continue;
        const shown = mine ? changedBy(message, mine, user) : message;
        if (shown === undefined) continue;
        const key = conversation.keys.get(seq) ?? arrived.get(seq) ?? String(seq);
        confirmed(list, key, message, shown, receiptsOf(conversation, message), mine, !arrived.has(seq));
      }
      for (const key of [...arrived.values(), ...conversation.keys.values()]) list.done.add(key);
    }
    this.#of = conversation;
    if (ends) {
      for (const each of holds) {
        if (each.state !== "pending" || (each.message.thread ?? MAIN) !== thread) continue;
        list.show(`hold:${each.id}`, each, "", () => ({
          message: each.message,
          status: "held",
          receipts: NONE,
        }));
      }
      for (const each of here) {
        if (list.done.has(each.key)) continue;
        list.show(each.key, each.params, each.state, () => ({
          message: outgoing(each, user),
          status: each.state,
          receipts: NONE,
          outboxId: each.id,
          ...(each.error && { error: each.error }),
        }));
      }
    }
    if (list.changed) {
      this.#shown = list.shown;
      this.#list = Object.freeze(list.shown.map((each) => each.item));
    }
    return this.#list;
  }
}

/** The items as they are made, beside those that there were. */
class Listing {
  readonly shown: Shown[] = [];
  /** Keys of what is not to be shown as being on its way. */
  readonly done = new Set<string>();
  readonly #before: readonly Shown[];
  #byKey: Map<string, Shown> | undefined;
  #same = true;

  constructor(before: readonly Shown[]) {
    this.#before = before;
  }

  get changed(): boolean {
    return !this.#same || this.shown.length !== this.#before.length;
  }

  /** Whether the next item is the one of a message as it was. */
  keep(base: object): boolean {
    const beside = this.#before[this.shown.length];
    if (beside?.base !== base || !beside.plain) return false;
    this.shown.push(beside);
    return true;
  }

  /** The item with this key: as it was if `base` and `by` are the same. */
  show(key: string, base: object, by: unknown, make: () => Omit<MessageItem, "key">, plain = false): void {
    const beside = this.#before[this.shown.length];
    const before = beside?.item.key === key ? beside : this.#find(key);
    const shown =
      before?.base === base && before.by === by
        ? before
        : { item: Object.freeze({ key, ...make() }), base, by, plain };
    if (shown !== beside) this.#same = false;
    this.shown.push(shown);
  }

  #find(key: string): Shown | undefined {
    this.#byKey ??= new Map(this.#before.map((each) => [each.item.key, each]));
    return this.#byKey.get(key);
  }
}

function confirmed(
  list: Listing,
  key: string,
  base: Message,
  message: Message,
  receipts: Receipts,
  mine: readonly Pending[] | undefined,
  sure: boolean,
): void {
  // Few have been read by different numbers of people, so that there are few of these objects.
  const by = mine
    ? `${receipts.read} ${receipts.delivered} ${mine.map((each) => each.key + each.state + each.done)}`
    : receipts;
  const make = (): Omit<MessageItem, "key"> => {
    const last = mine?.filter((each) => !each.done).at(-1);
    return {
      message,
      status: last?.state ?? "sent",
      receipts,
      ...(last && { outboxId: last.id }),
      ...(last?.error && { error: last.error }),
    };
  };
  list.show(key, base, by, make, sure && !mine);
}

/** The seq up to which neither keys nor receipts have changed. */
function unchanged(before: ConversationState, now: ConversationState): number {
  let low = Number.POSITIVE_INFINITY;
  const reaches = (cursor: number) => {
    low = Math.min(low, cursor);
  };
  if (before.readers !== now.readers) {
    for (const [user, { read, delivered }] of now.readers) {
      const old = before.readers.get(user);
      if (old?.read !== read || old.delivered !== delivered)
        reaches(Math.min(old?.read ?? 0, old?.delivered ?? 0));
    }
    for (const user of before.readers.keys()) if (!now.readers.has(user)) reaches(0);
  }
  if (before.counts !== now.counts)
    for (const each of [before, now]) reaches((each.counts?.message ?? 0) - 1);
  if (before.keys !== now.keys)
    for (const seq of now.keys.keys()) if (!before.keys.has(seq)) reaches(seq - 1);
  return low;
}

function changesOf(pending: readonly Pending[]): ReadonlyMap<number, Pending[]> {
  const changes = new Map<number, Pending[]>();
  for (const each of pending) {
    if (!("message" in each.params)) continue;
    const known = changes.get(each.params.message);
    if (known) known.push(each);
    else changes.set(each.params.message, [each]);
  }
  return changes;
}

function changedBy(message: Message, mine: readonly Pending[], user: string): Message | undefined {
  let shown: Message | undefined = message;
  for (const each of mine) if (each.state !== "failed") shown = shown && overlaid(shown, each, user);
  return shown;
}

/** The keys of one's own messages that have come before the answer that says which they are. */
function arrivedOf(
  conversation: ConversationState,
  segment: Segment,
  here: readonly Sending[],
  user: string,
): ReadonlyMap<number, string> {
  const arrived = new Map<number, string>();
  // The one whose answer was lost waits again, before all others.
  const first = here.find((each) => each.state !== "failed");
  const open = here.filter((each) => each.state === "sending" || each === first);
  if (open.length === 0) return arrived;
  const keyed = new Set(conversation.keys.values());
  for (const seq of segment.seqs.slice(-LATE)) {
    const message = conversation.book.get(seq);
    if (message?.sender !== user || conversation.keys.has(seq)) continue;
    const at = open.findIndex(
      (each) => !keyed.has(each.key) && isLater(message, each) && alike(message, each),
    );
    const [found] = at >= 0 ? open.splice(at, 1) : [];
    if (found) arrived.set(seq, found.key);
  }
  return arrived;
}

/** Messages among which one's own are that have just come. */
const LATE = 50;

/** A message that is on its way, as its sender sees it. */
function outgoing({ params, added }: Sending, user: string): Message {
  const { conversation, parts, thread, reply_to, mentions, silent } = params;
  return amended<Message>(
    { conversation, seq: 0, sender: user, created: added, parts: parts as readonly Part[] },
    {
      thread,
      reply_to,
      mentions: mentions && amended(mentions as NonNullable<Message["mentions"]>, {}),
      options: silent ? { silent } : undefined,
    },
  );
}
