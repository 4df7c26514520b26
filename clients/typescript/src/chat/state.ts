import type {
  Block,
  Bookmark,
  Conversation,
  Draft,
  Hold,
  Me,
  Message,
  MyConversation,
  MyMembership,
  Receipt,
  Reminder,
  Restriction,
  Scheduled,
} from "../generated/chat.js";
import { Book } from "./book.js";
import type { Timeline } from "./timeline.js";

/** The main timeline, among `timelines`. */
export const MAIN = 0;

/** A conversation as this device knows it: true at the event `seq` of its log. */
export interface ConversationState {
  readonly conversation: Conversation;
  readonly membership: MyMembership;
  /** The other one of a direct conversation. */
  readonly peer: string | undefined;
  readonly seq: number;
  /** The newest message of the main timeline, if one may read it. */
  readonly last: number | undefined;
  readonly book: Book;
  /** By the root of the thread; the main one by MAIN. */
  readonly timelines: ReadonlyMap<number, Timeline>;
  /** Messages that the user has deleted for itself, as far as that is known. */
  readonly hidden: ReadonlySet<number>;
  /** How far each member has got, in conversations that are not large. */
  readonly readers: ReadonlyMap<string, Receipt>;
  /** Whether `readers` has all members. */
  readonly complete: boolean;
  /** In large ones how many have got the newest message. */
  readonly counts:
    | { readonly message: number; readonly read: number; readonly delivered: number }
    | undefined;
  /** The keys under which one's own messages were shown before they were confirmed, by seq. */
  readonly keys: ReadonlyMap<number, string>;
  /** Pinned messages, once they were asked for. */
  readonly pins: readonly number[] | undefined;
  /** Messages that events do not tell, and that are to be asked for. */
  readonly wanted: readonly number[];
  /** The counters cannot be told from events: they are to be asked for. */
  readonly unsure: boolean;
  /** Grows when all windows were thrown away. */
  readonly generation: number;
  /** Not the user's own: a topic that is only looked at. */
  readonly guest: boolean;
}

/** A thread that one follows. */
export interface ThreadState {
  readonly conversation: string;
  readonly root: Message;
  readonly read: number;
  readonly unread: number;
}

/** What is known to be out of date, and is to be asked for. */
export type Stale = "me" | "threads" | "bookmarks" | "drafts" | "catalogue";

/** All that this device knows. Never changes: what happens makes a new one, which shares what did not change. */
export interface ChatState {
  /** Whose it is; "" before the first connection. */
  readonly user: string;
  readonly me: Me | undefined;
  /** Of the last sync. */
  readonly token: string | undefined;
  /** The last seq of the inbox that is known. */
  readonly inbox: number;
  readonly conversations: ReadonlyMap<string, ConversationState>;
  /** By conversation and root (`place`). */
  readonly threads: ReadonlyMap<string, ThreadState>;
  /** Whether those are there, too, in which nothing is unread. */
  readonly allThreads: boolean;
  readonly blocks: ReadonlyMap<string, Block>;
  /** By conversation and message (`place`). */
  readonly bookmarks: ReadonlyMap<string, Bookmark>;
  /** By conversation and thread (`place`). */
  readonly drafts: ReadonlyMap<string, Draft>;
  readonly scheduled: ReadonlyMap<number, Scheduled>;
  readonly reminders: ReadonlyMap<number, Reminder>;
  readonly restrictions: readonly Restriction[];
  readonly holds: ReadonlyMap<string, Hold>;
  readonly stale: ReadonlySet<Stale>;
}

export const EMPTY: ChatState = {
  user: "",
  me: undefined,
  token: undefined,
  inbox: 0,
  conversations: new Map(),
  threads: new Map(),
  allThreads: false,
  blocks: new Map(),
  bookmarks: new Map(),
  drafts: new Map(),
  scheduled: new Map(),
  reminders: new Map(),
  restrictions: [],
  holds: new Map(),
  stale: new Set(),
};

/** What names a message, a thread or a draft: a conversation, and a seq in it. */
export function place(conversation: string, seq: number | undefined): string {
  return `${conversation}/${seq ?? MAIN}`;
}

/** A map with one more, or another one. */
export function put<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  return map.get(key) === value ? map : new Map(map).set(key, value);
}

/** A map with one less. */
export function drop<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  if (!map.has(key)) return map;
  const left = new Map(map);
  left.delete(key);
  return left;
}

/** A map without those for which `gone` holds. */
export function without<K, V>(
  map: ReadonlyMap<K, V>,
  gone: (value: V, key: K) => boolean,
): ReadonlyMap<K, V> {
  const left = [...map].filter(([key, value]) => !gone(value, key));
  return left.length === map.size ? map : new Map(left);
}

/** A conversation of which nothing is known but this. */
export function begun(mine: MyConversation, seq: number, before?: ConversationState): ConversationState {
  const { conversation, membership, peer, last_message: last } = mine;
  return {
    conversation,
    membership,
    peer,
    seq,
    last: last?.seq,
    book: last ? Book.empty.with(last) : Book.empty,
    timelines: new Map(),
    hidden: new Set(),
    readers: new Map(),
    complete: false,
    counts: undefined,
    keys: before?.keys ?? new Map(),
    pins: undefined,
    wanted: [],
    unsure: false,
    generation: (before?.generation ?? 0) + 1,
    guest: false,
  };
}

/** The state with one conversation changed. */
export function patch(
  state: ChatState,
  id: string,
  change: (conversation: ConversationState) => ConversationState,
): ChatState {
  const before = state.conversations.get(id);
  if (before === undefined) return state;
  const after = change(before);
  return after === before ? state : { ...state, conversations: put(state.conversations, id, after) };
}

/** The state with something more to be asked for. */
export function stale(state: ChatState, what: Stale): ChatState {
  return state.stale.has(what) ? state : { ...state, stale: new Set([...state.stale, what]) };
}
