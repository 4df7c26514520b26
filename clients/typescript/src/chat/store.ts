import { Cell, derived, type View } from "../core/view.js";
import { type ChatState, EMPTY } from "./state.js";

/** The state, and views of parts of it. */
export class Store {
  readonly state = new Cell<ChatState>(EMPTY);

  update(change: (state: ChatState) => ChatState): void {
    this.state.update(change);
  }

  /** A part of the state. */
  select<T>(part: (state: ChatState) => T): View<T> {
    return derived([this.state], part);
  }
}

/** Views by what they are of, so that the same is asked for and the same is given; the oldest are forgotten. */
export class Views<T> {
  readonly #made = new Map<string, T>();
  readonly #make: (key: string) => T;
  readonly #most: number;

  constructor(make: (key: string) => T, most = 2_000) {
    this.#make = make;
    this.#most = most;
  }

  of(key: string): T {
    let found = this.#made.get(key);
    if (found === undefined) {
      found = this.#make(key);
      this.#made.set(key, found);
      const oldest = this.#made.keys().next().value;
      if (this.#made.size > this.#most && oldest !== undefined) this.#made.delete(oldest);
    }
    return found;
  }
}

/** Calls `act` once for all that was added while `wait` milliseconds passed, in lots of at most `most`. */
export class Batch<T> {
  #waiting = new Set<T>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #act: (items: readonly T[]) => void;
  readonly #wait: number;
  readonly #most: number;

  constructor(act: (items: readonly T[]) => void, wait: number, most = 100) {
    this.#act = act;
    this.#wait = wait;
    this.#most = most;
  }

  add(...items: readonly T[]): void {
    for (const each of items) this.#waiting.add(each);
    if (this.#waiting.size > 0) this.#timer ??= setTimeout(() => this.flush(), this.#wait);
  }

  delete(item: T): void {
    this.#waiting.delete(item);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const all = [...this.#waiting];
    this.#waiting = new Set();
    for (let at = 0; at < all.length; at += this.#most) this.#act(all.slice(at, at + this.#most));
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
  }
}
