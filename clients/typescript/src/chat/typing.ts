import { Cell, derived, type View } from "../core/view.js";
import type { ChatEvent } from "../generated/chat.js";
import type { Context } from "./context.js";
import { drop, place, put } from "./state.js";
import { Views } from "./store.js";

/** Milliseconds between two calls, until the server says how many. */
const INTERVAL = 1_000;
const NOBODY: readonly string[] = Object.freeze([]);

/** Who types: others, until their time is over; and oneself, told not more often than the server tells it on. */
export class Typing {
  /** Users by conversation and thread (`place`). */
  readonly all = new Cell<ReadonlyMap<string, readonly string[]>>(new Map());
  readonly #context: Context;
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #told = new Map<string, number>();
  readonly #views = new Views((key) => derived([this.all], (all) => all.get(key) ?? NOBODY));
  #interval = INTERVAL;

  constructor(context: Context) {
    this.#context = context;
  }

  of(conversation: string, thread: number | undefined): View<readonly string[]> {
    return this.#views.of(place(conversation, thread));
  }

  heard(event: ChatEvent): void {
    if (event.type === "typing") {
      const { conversation, user, thread, ttl } = event;
      if (user !== this.#context.store.state.get().user) this.#set(place(conversation, thread), user, ttl);
    } else if (event.type === "message.created" && event.message.sender) {
      this.#set(place(event.conversation, event.message.thread), event.message.sender, 0);
    }
  }

  /** `ttl` in seconds; 0: no more. */
  #set(key: string, user: string, ttl: number): void {
    const timer = `${key}/${user}`;
    clearTimeout(this.#timers.get(timer));
    this.#timers.delete(timer);
    const before = this.all.get().get(key) ?? NOBODY;
    if (ttl > 0) {
      this.#timers.set(
        timer,
        setTimeout(() => this.#set(key, user, 0), ttl * 1000),
      );
      if (!before.includes(user)) this.all.update((all) => put(all, key, [...before, user]));
    } else if (before.includes(user)) {
      const left = before.filter((each) => each !== user);
      this.all.update((all) => (left.length > 0 ? put(all, key, left) : drop(all, key)));
    }
  }

  /** The user has pressed a key. What goes wrong is of no importance. */
  start(conversation: string, thread: number | undefined): void {
    const key = place(conversation, thread);
    const now = Date.now();
    if (!this.#context.live() || now - (this.#told.get(key) ?? 0) < this.#interval) return;
    this.#told.set(key, now);
    this.#context.call("typing.start", { conversation, thread }).then(
      ({ interval }) => {
        this.#interval = interval * 1000;
      },
      () => undefined,
    );
  }

  /** The user types no more. One who has sent a message need not say so. */
  stopTyping(conversation: string, thread: number | undefined): void {
    if (!this.#told.delete(place(conversation, thread)) || !this.#context.live()) return;
    this.#context.call("typing.start", { conversation, thread, stop: true }).catch(() => undefined);
  }

  stop(): void {
    for (const each of this.#timers.values()) clearTimeout(each);
    this.#timers.clear();
    this.#told.clear();
    this.all.set(new Map());
  }
}
