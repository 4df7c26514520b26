import type { HubbubError } from "../core/errors.js";
import { Cell, derived, type View } from "../core/view.js";
import type { Hold } from "../generated/chat.js";
import type { Context } from "./context.js";
import { isFinal } from "./context.js";
import { Items, type MessageItem, type Pending } from "./items.js";
import type { Marks } from "./marks.js";
import { type Asked, applyKept, applyPage, applyTrim } from "./pages.js";
import { begun, type ChatState, type ConversationState, drop, MAIN, place, put } from "./state.js";
import { lowerBound, type Segment, segmentAt } from "./timeline.js";

/** What a list of messages shows now. */
export interface MessageWindow {
  /** The oldest first; what is not confirmed at the end. */
  readonly items: readonly MessageItem[];
  /** Whether there is nothing before these. */
  readonly atStart: boolean;
  /** Whether there is nothing after these, so that new messages are added. */
  readonly atEnd: boolean;
  /** What is being read. */
  readonly loading: "before" | "after" | "jump" | undefined;
  /** The seq of the first message that had not been read when the list was opened. */
  readonly firstUnread?: number;
  /** Of a thread: the message that it is about. */
  readonly root?: MessageItem;
  /** Why nothing could be read. To page again is to try again. */
  readonly error?: HubbubError;
}

/**
 * The messages of a conversation or of a thread, as far as they are read. It begins at the end, when it is first used,
 * and is held until `release`; what nobody holds is let go of after a while.
 */
export interface MessageList extends View<MessageWindow> {
  /** Read older ones. */
  loadBefore(): Promise<void>;
  /** Read newer ones. */
  loadAfter(): Promise<void>;
  /** Show what is around a message. */
  jumpTo(seq: number): Promise<void>;
  /** Show the newest. */
  toEnd(): Promise<void>;
  /** The user sees this message: it and what is before it has been read. Told a little later, while the page is visible. */
  visible(seq: number): void;
  /** Let go of it. It may be used again. */
  release(): void;
}

/** Messages of a page. */
const SIZE = 50;
/** Conversations of which something is kept though nobody holds them, and how many messages of each. */
const KEPT = 30;
const KEPT_MESSAGES = 50;
const END = Number.POSITIVE_INFINITY;
const EMPTY_WINDOW: MessageWindow = { items: [], atStart: false, atEnd: false, loading: undefined };

/** Who holds what; lets go of the rest. */
export class Windows {
  readonly context: Context;
  readonly marks: Marks;
  readonly pending: View<readonly Pending[]>;
  readonly #held = new Set<List>();
  /** Conversations that were held, the last one at the end. */
  readonly #recent = new Set<string>();
  readonly #guests = new Map<string, { count: number; leave: () => void }>();

  constructor(context: Context, marks: Marks, pending: View<readonly Pending[]>) {
    this.context = context;
    this.marks = marks;
    this.pending = pending;
  }

  list(conversation: string, thread: number | undefined): MessageList {
    return new List(this, conversation, thread ?? MAIN);
  }

  hold(list: List): void {
    this.#held.add(list);
    this.#recent.delete(list.conversation);
    this.#recent.add(list.conversation);
  }

  release(list: List): void {
    if (!this.#held.delete(list)) return;
    this.trim(list.conversation, KEPT_MESSAGES);
    const idle = [...this.#recent].filter((id) => ![...this.#held].some((each) => each.conversation === id));
    for (const id of idle.slice(0, Math.max(0, idle.length - KEPT))) {
      this.#recent.delete(id);
      this.trim(id, 0);
    }
  }

  trim(id: string, keep: number): void {
    const held = [...this.#held].filter((each) => each.conversation === id);
    this.context.store.update((state) =>
      applyTrim(
        state,
        id,
        held.map(({ thread, at }) => ({ thread, place: at })),
        keep,
      ),
    );
  }

  /** Look at a conversation that is not the user's own: a topic. Gives how to leave it. */
  async visit(id: string): Promise<() => void> {
    const { client, call, store } = this.context;
    const known = this.#guests.get(id);
    if (known) known.count += 1;
    else {
      const mine = await call("conversations.get", { conversation: id });
      if (!store.state.get().conversations.has(id)) {
        const guest = { ...begun(mine, mine.conversation.seq ?? 0), guest: true };
        store.update((state) => ({ ...state, conversations: put(state.conversations, id, guest) }));
        const subscription = client.channel(`conversation:${id}`).subscribe({
          publication: (publication) => this.context.heard(publication),
          gap: (gap) => this.context.heard(gap),
        });
        subscription.ready.catch(() => undefined);
        this.#guests.set(id, { count: 1, leave: subscription.unsubscribe });
      }
    }
    return () => {
      const guest = this.#guests.get(id);
      if (!guest || --guest.count > 0) return;
      this.#guests.delete(id);
      guest.leave();
      store.update((state) =>
        state.conversations.get(id)?.guest
          ? { ...state, conversations: drop(state.conversations, id) }
          : state,
      );
    };
  }
}

class List implements MessageList {
  readonly conversation: string;
  readonly thread: number;
  /** The segment is shown that has this place. */
  at = END;
  readonly get: () => MessageWindow;
  readonly subscribe: (listener: () => void) => () => void;
  readonly #windows: Windows;
  readonly #items = new Items();
  readonly #loading = new Cell<MessageWindow["loading"]>(undefined);
  readonly #error = new Cell<HubbubError | undefined>(undefined);
  readonly #place = new Cell(END);
  readonly #busy = new Map<string, Promise<void>>();
  #active = false;
  #read: number | undefined;
  #generation: number | undefined;
  #refused = false;
  #leave: (() => void) | undefined;
  #unvisit: Promise<() => void> | undefined;

  constructor(windows: Windows, conversation: string, thread: number) {
    this.#windows = windows;
    this.conversation = conversation;
    this.thread = thread;
    const { store } = windows.context;
    // What changes elsewhere is not looked at.
    const mine = store.select((state) => state.conversations.get(conversation));
    const holds = derived(
      [store.select((state) => state.holds)],
      (all) => [...all.values()].filter((each) => each.message.conversation === conversation),
      sameItems,
    );
    const pending = derived(
      [windows.pending],
      (all) => all.filter((each) => each.params.conversation === conversation),
      sameItems,
    );
    const user = store.select((state) => state.user);
    const view = derived(
      [mine, holds, pending, user, this.#loading, this.#error, this.#place],
      (known, held, waiting, me, loading, error, at) =>
        this.#window(known, held, waiting, me, loading, error, at),
      sameWindow,
    );
    this.get = view.get;
    this.subscribe = (listener) => {
      this.#activate();
      return view.subscribe(listener);
    };
  }

  #window(
    known: ConversationState | undefined,
    holds: readonly Hold[],
    pending: readonly Pending[],
    user: string,
    loading: MessageWindow["loading"],
    error: HubbubError | undefined,
    at: number,
  ): MessageWindow {
    const segment = segmentAt(known?.timelines.get(this.thread), at);
    const items = this.#items.of(known, this.thread, segment, pending, holds, user, at === END);
    if (!segment || !known) return { ...EMPTY_WINDOW, items, loading, ...(error && { error }) };
    const root = this.thread === MAIN ? undefined : this.#root(known, pending, user);
    const first = this.#firstUnread(segment, known, user);
    return {
      items,
      atStart: segment.from === 0,
      atEnd: segment.to === END,
      loading,
      ...(first !== undefined && { firstUnread: first }),
      ...(root && { root }),
      ...(error && { error }),
    };
  }

  readonly #rootItems = new Items();

  #root(known: ConversationState, pending: readonly Pending[], user: string): MessageItem | undefined {
    const only: Segment = { from: this.thread, to: this.thread, seqs: [this.thread] };
    return this.#rootItems.of(known, MAIN, only, pending, [], user)[0];
  }

  #firstUnread(segment: Segment, known: ConversationState, user: string): number | undefined {
    const read = this.#read;
    if (read === undefined || read + 1 < segment.from) return undefined;
    return segment.seqs
      .slice(lowerBound(segment.seqs, read + 1))
      .find((seq) => known.book.get(seq)?.sender !== user);
  }

  /** From now on it is held, and read when it is not there. */
  #activate(): void {
    if (this.#active) return;
    this.#active = true;
    const { store, whileLive } = this.#windows.context;
    this.#windows.hold(this);
    this.#read ??= this.#readSoFar(store.state.get());
    this.#leave = whileLive(this.#look);
  }

  #readSoFar(state: ChatState): number | undefined {
    if (this.thread !== MAIN) return state.threads.get(place(this.conversation, this.thread))?.read;
    const known = state.conversations.get(this.conversation);
    return known && !known.guest ? (known.membership.read ?? 0) : undefined;
  }

  /** Reads what should be shown and is not known, or not any more. */
  #look = (): void => {
    const { store } = this.#windows.context;
    if (!this.#active) return;
    const state = store.state.get();
    const known = state.conversations.get(this.conversation);
    if (!known) {
      this.#generation = undefined;
      this.#unvisit ??= this.#visit();
      return;
    }
    // What was refused before may be allowed to who is in it now.
    if (known.generation !== this.#generation) this.#error.set(undefined);
    this.#generation = known.generation;
    if (!known.guest && this.#refused) this.#unvisit = undefined;
    this.#refused = false;
    this.#read ??= this.#readSoFar(state);
    if (segmentAt(known.timelines.get(this.thread), this.at) || this.#error.get()) return;
    void this.#show(this.at).catch(() => undefined);
  };

  async #visit(): Promise<() => void> {
    try {
      return await this.#windows.visit(this.conversation);
    } catch (error) {
      this.#refused = true;
      this.#error.set(error as HubbubError);
      return () => undefined;
    }
  }

  async loadBefore(): Promise<void> {
    await this.#page("before");
  }

  async loadAfter(): Promise<void> {
    await this.#page("after");
  }

  async jumpTo(seq: number): Promise<void> {
    this.#activate();
    await this.#show(seq);
  }

  async toEnd(): Promise<void> {
    this.#activate();
    await this.#show(END);
  }

  visible(seq: number): void {
    this.#windows.marks.read(this.conversation, this.thread, seq);
  }

  release(): void {
    if (!this.#active) return;
    this.#active = false;
    this.#leave?.();
    this.#leave = undefined;
    this.#read = undefined;
    void this.#unvisit?.then((leave) => leave());
    this.#unvisit = undefined;
    this.at = END;
    this.#place.set(END);
    this.#error.set(undefined);
    this.#windows.release(this);
  }

  #segment(): Segment | undefined {
    const known = this.#windows.context.store.state.get().conversations.get(this.conversation);
    return segmentAt(known?.timelines.get(this.thread), this.at);
  }

  async #page(side: "before" | "after"): Promise<void> {
    this.#activate();
    const segment = this.#segment();
    if (!segment) return this.#show(this.at);
    if (side === "before" ? segment.from === 0 : segment.to === END) return;
    // That there is something at this place stays so, whatever is joined to it.
    this.#stay(side === "before" ? (segment.to === END ? END : segment.from) : segment.to);
    await this.#once(side, side, () =>
      this.#ask(side === "before" ? { before: segment.from } : { after: segment.to }),
    );
  }

  async #show(at: number): Promise<void> {
    const known = this.#windows.context.store.state.get().conversations.get(this.conversation);
    if (segmentAt(known?.timelines.get(this.thread), at)) {
      this.#stay(at);
      this.#error.set(undefined);
      return;
    }
    await this.#once(`jump ${at}`, "jump", async () => {
      const root = this.thread !== MAIN && !known?.book.has(this.thread) ? this.#askRoot() : undefined;
      await Promise.all([this.#ask(at === END ? {} : { around: at }), root]);
      this.#stay(at);
    });
  }

  #stay(at: number): void {
    this.at = at;
    this.#place.set(at);
  }

  async #ask(asked: Asked): Promise<void> {
    const { read, call } = this.#windows.context;
    const { conversation, thread } = this;
    const params = { conversation, ...(thread !== MAIN && { thread }), ...asked, limit: SIZE };
    await read(
      conversation,
      () => call("messages.list", params),
      (state, page, since) => applyPage(state, conversation, thread, page, asked, since),
    );
  }

  async #askRoot(): Promise<void> {
    const { read, call } = this.#windows.context;
    const { conversation, thread } = this;
    await read(
      conversation,
      () => call("messages.get", { conversation, message: thread }),
      (state, root, since) => applyKept(state, conversation, [root], since),
    );
  }

  /** Does it, unless that is under way. */
  #once(what: string, loading: MessageWindow["loading"], act: () => Promise<void>): Promise<void> {
    const before = this.#busy.get(what);
    if (before) return before;
    this.#loading.set(loading);
    const done = act().then(
      () => this.#error.set(undefined),
      (error: HubbubError) => {
        if (isFinal(error)) this.#error.set(error);
        throw error;
      },
    );
    const settled = done.finally(() => {
      this.#busy.delete(what);
      if (this.#busy.size === 0) this.#loading.set(undefined);
    });
    this.#busy.set(what, settled);
    return settled;
  }
}

function sameItems<T>(one: readonly T[], other: readonly T[]): boolean {
  return one.length === other.length && one.every((each, at) => each === other[at]);
}

function sameWindow(one: MessageWindow, other: MessageWindow): boolean {
  return (
    one.items === other.items &&
    one.atStart === other.atStart &&
    one.atEnd === other.atEnd &&
    one.loading === other.loading &&
    one.firstUnread === other.firstUnread &&
    one.root === other.root &&
    one.error === other.error
  );
}
