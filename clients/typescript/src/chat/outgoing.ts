import type { Outbox } from "../core/outbox.js";
import { Cell } from "../core/view.js";
import type { EditedMessage, Sent } from "../generated/chat.js";
import { type Intent, type Pending, satisfied } from "./items.js";
import { applySent } from "./pages.js";
import { MAIN, put } from "./state.js";
import type { Store } from "./store.js";
import { segmentAt } from "./timeline.js";

/** Milliseconds of being up to date for which what is done is shown, though no event has said so. */
const SETTLE = 3_000;
const METHODS: ReadonlySet<string> = new Set([
  "chat.messages.send",
  "chat.messages.edit",
  "chat.messages.delete",
  "chat.reactions.add",
  "chat.reactions.remove",
]);

/**
 * What is on its way: shown at once, sent by the outbox, and let go of when the log shows it. What was in the outbox
 * before a reload is there again.
 */
export class Outgoing {
  /** In the order in which they were added. */
  readonly pending = new Cell<readonly Pending[]>([]);
  readonly #outbox: Outbox;
  readonly #store: Store;
  readonly #time: () => number;
  readonly #live: () => boolean;
  #stopped = false;
  readonly #watched = new Set<string>();
  /** Where each stands among the others, by its key: the server's clock is only guessed, and the device's may be set. */
  readonly #places = new Map<string, number>();
  #last = 0;
  /** What was sent and is not in the lists yet, by its key. */
  readonly #unseen = new Map<string, Sent>();
  readonly #leave: (() => void)[];

  /** `live`: whether the state is up to date, but for what is being pushed. */
  constructor(outbox: Outbox, store: Store, time: () => number, live: () => boolean) {
    this.#outbox = outbox;
    this.#store = store;
    this.#time = time;
    this.#live = live;
    this.#leave = [outbox.entries.subscribe(this.#entries), store.state.subscribe(this.#settle)];
    this.#entries();
  }

  /** Ends the following; what is in the outbox stays there. */
  stop(): void {
    this.#stopped = true;
    for (const each of this.#leave) each();
  }

  /** Put something into the outbox. Gives what the server has answered; rejects when that was no, for good. */
  async add(intent: Intent, key: string, group: string): Promise<unknown> {
    const { id, state } = this.#outbox.add({ ...intent, key, group });
    const since = this.#store.state.get().conversations.get(intent.params.conversation)?.seq ?? 0;
    this.#place(key);
    // The outbox tells of it a little later.
    this.pending.update((all) => [...all, { ...intent, id, key, state, added: this.#time(), since }]);
    this.#watch(id, key, intent.method);
    return this.#outbox.result(id);
  }

  #entries = (): void => {
    const entries = this.#outbox.entries.get().filter((each) => METHODS.has(each.method));
    const before = new Map(this.pending.get().map((each) => [each.key, each]));
    const ahead = this.#time() - Date.now() / 1000;
    const now = entries.map((entry): Pending => {
      const { id, key, method, params, state, error, added } = entry;
      const known = before.get(key);
      before.delete(key);
      if (state !== "failed" || method !== "chat.messages.send") this.#watch(id, key, method);
      if (known?.id === id && known.state === state && known.error === error) return known;
      const intent = { method, params: known?.params ?? params } as Intent;
      const at = known?.added ?? added / 1000 + ahead;
      const since = known?.since !== undefined && { since: known.since };
      return { ...intent, id, key, state, added: at, ...since, ...(error && { error }) };
    });
    // What it is done with, and the state or the log does not show yet.
    const left = [...before.values()].filter((each) => each.done || this.#watched.has(each.id));
    const all = [...now, ...left].sort((a, b) => this.#place(a.key) - this.#place(b.key));
    const known = this.pending.get();
    if (all.length !== known.length || all.some((each, at) => each !== known[at])) this.pending.set(all);
  };

  #place(key: string): number {
    let place = this.#places.get(key);
    if (place === undefined) {
      place = ++this.#last;
      this.#places.set(key, place);
    }
    return place;
  }

  #watch(id: string, key: string, method: string): void {
    if (this.#watched.has(id)) return;
    this.#watched.add(id);
    this.#outbox.result(id).then(
      (result) => {
        this.#watched.delete(id);
        if (method === "chat.messages.send") this.#sent(result as Sent, key);
        else this.#done(key, (result as Partial<EditedMessage> | null)?.version);
      },
      () => {
        this.#watched.delete(id);
        const failed = this.#outbox.entries.get().find((each) => each.id === id);
        // A message waits for its author to decide; anything else has not happened.
        if (failed && method !== "chat.messages.send") this.#outbox.discard(id);
        if (!failed || method !== "chat.messages.send") this.#remove(key);
      },
    );
  }

  #sent(sent: Sent, key: string): void {
    this.#store.update((state) => {
      if (sent.held === undefined) return applySent(state, sent, key);
      const { message, held } = sent;
      const hold = { id: held, state: "pending", message, created: message.created } as const;
      return state.holds.has(held) ? state : { ...state, holds: put(state.holds, held, hold) };
    });
    if (sent.held === undefined && !this.#shows(sent)) {
      this.#unseen.set(key, sent);
      this.#done(key);
    } else this.#remove(key);
  }

  /** Whether lists that are at the end have a message that was sent: the end may just be read anew. */
  #shows({ message }: Sent): boolean {
    const known = this.#store.state.get().conversations.get(message.conversation);
    const end = segmentAt(known?.timelines.get(message.thread ?? MAIN), Number.POSITIVE_INFINITY);
    return end !== undefined && known?.book.get(message.seq) !== undefined;
  }

  /** `version` is the one that an edit has made. */
  #done(key: string, version?: number): void {
    const done = { done: true, ...(version !== undefined && { version }) };
    this.pending.update((all) => all.map((each) => (each.key === key ? { ...each, ...done } : each)));
    this.#removeLater(key);
    this.#settle();
  }

  /** A connection may be lost between an answer and its event, which then comes by the next sync. */
  #removeLater(key: string): void {
    setTimeout(() => {
      if (this.#live() || this.#stopped) this.#remove(key);
      else this.#removeLater(key);
    }, SETTLE);
  }

  /** Lets go of what the log shows. */
  #settle = (): void => {
    for (const [key, sent] of this.#unseen) {
      if (!this.#shows(sent)) continue;
      this.#unseen.delete(key);
      this.#store.update((state) => applySent(state, sent, key));
    }
    const { conversations, user } = this.#store.state.get();
    const all = this.pending.get();
    const left = all.filter(
      (each) =>
        !each.done ||
        this.#unseen.has(each.key) ||
        !satisfied(conversations.get(each.params.conversation), each, user),
    );
    if (left.length !== all.length) this.pending.set(left);
  };

  #remove(key: string): void {
    const all = this.pending.get();
    const left = all.filter((each) => each.key !== key);
    this.#places.delete(key);
    this.#unseen.delete(key);
    if (left.length !== all.length) this.pending.set(left);
  }
}
