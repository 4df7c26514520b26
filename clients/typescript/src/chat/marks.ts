import type { ReceiptsMark } from "../generated/chat.js";
import type { Context } from "./context.js";
import { applyMembership, applyRead } from "./inbox.js";
import { MAIN, place, put } from "./state.js";

/** Milliseconds in which what is read is gathered, and what is delivered. */
const READ = 300;
const DELIVERED = 1_000;
/** Marks of one call. */
const MOST = 100;

interface Page {
  readonly visibilityState?: string;
  addEventListener?(type: "visibilitychange", listener: () => void): void;
  removeEventListener?(type: "visibilitychange", listener: () => void): void;
}

/** Tells the server what the user has read, and what has come to this device. Cursors only go forward. */
export class Marks {
  readonly #context: Context;
  readonly #page: Page | undefined;
  readonly #tellsDelivered: boolean;
  readonly #marks = new Map<string, { read?: number; delivered?: number }>();
  readonly #threads = new Map<string, { conversation: string; thread: number; seq: number }>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = 0;
  #leave: (() => void) | undefined;
  #seen: unknown;

  constructor(context: Context, delivered: boolean) {
    this.#context = context;
    this.#tellsDelivered = delivered;
    this.#page = (globalThis as { document?: Page }).document;
  }

  start(): void {
    if (this.#leave) return;
    const leave = this.#context.whileLive(this.#look);
    this.#page?.addEventListener?.("visibilitychange", this.#shown);
    this.#leave = () => {
      leave();
      this.#page?.removeEventListener?.("visibilitychange", this.#shown);
    };
  }

  stop(): void {
    this.#leave?.();
    this.#leave = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** The user sees a message. */
  read(conversation: string, thread: number, seq: number): void {
    const state = this.#context.store.state.get();
    if (thread !== MAIN) {
      const key = place(conversation, thread);
      const known = state.threads.get(key);
      if (!known || seq <= Math.max(known.read, this.#threads.get(key)?.seq ?? 0)) return;
      this.#threads.set(key, { conversation, thread, seq });
    } else {
      const known = state.conversations.get(conversation);
      if (!known || known.guest || known.membership.state !== "joined") return;
      const mark = this.#marks.get(conversation) ?? {};
      if (seq <= Math.max(known.membership.read ?? 0, mark.read ?? 0)) return;
      this.#marks.set(conversation, { ...mark, read: seq });
    }
    this.#schedule(READ);
  }

  /** What the newest messages are that have come here. */
  #look = (): void => {
    const { conversations, user } = this.#context.store.state.get();
    if (!this.#tellsDelivered || conversations === this.#seen) return;
    this.#seen = conversations;
    for (const [id, { conversation, membership, last, book, guest }] of conversations) {
      if (last === undefined || guest || membership.state !== "joined") continue;
      const mark = this.#marks.get(id) ?? {};
      if (last <= Math.max(membership.delivered ?? 0, mark.delivered ?? 0, mark.read ?? 0)) continue;
      if (conversation.last_message !== last || book.get(last)?.sender === user) continue;
      this.#marks.set(id, { ...mark, delivered: last });
      this.#schedule(DELIVERED);
    }
  };

  #shown = (): void => {
    if (this.#visible) this.#schedule(0);
    else void this.flush(true); // of what was seen until now: a page that is closed is hidden first
  };

  get #visible(): boolean {
    return (this.#page?.visibilityState ?? "visible") === "visible";
  }

  #schedule(wait: number): void {
    const due = Date.now() + wait;
    if (this.#timer !== undefined && this.#due <= due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, wait);
  }

  /** Tell what there is to tell. While the page is hidden (`seen`: unless it was seen before) nothing is read. */
  async flush(seen = this.#visible): Promise<void> {
    if (!this.#context.live()) {
      this.#schedule(DELIVERED);
      return;
    }
    const marks: ReceiptsMark[] = [];
    for (const [conversation, mark] of this.#marks) {
      if (marks.length === MOST) break;
      const { delivered } = mark;
      const read = seen ? mark.read : undefined;
      if (read === undefined && delivered === undefined) continue;
      marks.push({ conversation, read, delivered });
      if (read === mark.read) this.#marks.delete(conversation);
      else this.#marks.set(conversation, { read: mark.read as number });
    }
    const threads = seen ? [...this.#threads.values()] : [];
    if (seen) this.#threads.clear();
    await Promise.all([this.#tell(marks), ...threads.map((each) => this.#tellThread(each))]);
    if (marks.length === MOST) await this.flush(seen);
  }

  async #tell(marks: readonly ReceiptsMark[]): Promise<void> {
    if (marks.length === 0) return;
    const { store, call, failed } = this.#context;
    store.update((state) =>
      marks.reduce(
        (next, { conversation, read }) => (read === undefined ? next : applyRead(next, conversation, read)),
        state,
      ),
    );
    try {
      const { marked = [] } = await call("receipts.mark", { marks });
      store.update((state) =>
        marked.reduce((next, each) => applyMembership(next, each.conversation, each.membership), state),
      );
    } catch (error) {
      failed(error);
    }
  }

  async #tellThread(params: { conversation: string; thread: number; seq: number }): Promise<void> {
    const { store, call, failed } = this.#context;
    try {
      const { read, unread } = await call("threads.read", params);
      const key = place(params.conversation, params.thread);
      store.update((state) => {
        const known = state.threads.get(key);
        if (!known || read < known.read) return state;
        return { ...state, threads: put(state.threads, key, { ...known, read, unread }) };
      });
    } catch (error) {
      failed(error);
    }
  }
}
