import { Cell, derived, type View } from "../core/view.js";
import type { ChatEvent, Presence, User } from "../generated/chat.js";
import type { Context } from "./context.js";
import { put } from "./state.js";
import { Batch, Views } from "./store.js";

/** Milliseconds in which those who are asked for are gathered. */
const GATHER = 20;
/** Milliseconds for which presence is followed after nobody looks at it any more. */
const LINGER = 5_000;
/** Of one call. */
const MOST = 100;

/** Profiles: asked for when somebody looks at them, many at once, each once. */
export class People {
  readonly all = new Cell<ReadonlyMap<string, User>>(new Map());
  readonly #context: Context;
  readonly #asked = new Set<string>();
  readonly #ask = new Batch<string>((ids) => void this.#query(ids), GATHER, MOST);
  readonly #views = new Views((id) => this.#view(id));

  constructor(context: Context) {
    this.#context = context;
  }

  /** A user's profile; undefined until it is here, and for who there is not. */
  of(id: string): View<User | undefined> {
    return this.#views.of(id);
  }

  /** Profiles that will be wanted. */
  need(ids: Iterable<string>): void {
    for (const id of ids) {
      if (this.#asked.has(id)) continue;
      this.#asked.add(id);
      this.#ask.add(id);
    }
  }

  /** What is known, as it came with something else. */
  know(...users: readonly User[]): void {
    for (const each of users) this.#asked.add(each.id);
    this.all.update((all) => users.reduce((known, each) => put(known, each.id, each), all));
  }

  /** Users by the beginning of an id or of a word of a name. */
  async search(
    text: string,
    options: { limit?: number; signal?: AbortSignal } = {},
  ): Promise<readonly User[]> {
    if (text.trim() === "") return [];
    const { limit = 20, signal } = options;
    const { users } = await this.#context.call("users.query", { prefix: text, limit }, { signal });
    this.know(...users);
    return users;
  }

  /** Profiles may have changed: those that somebody looks at are asked for again. */
  forget(): void {
    this.#asked.clear();
    this.need(this.all.get().keys());
  }

  stop(): void {
    this.#ask.stop();
    this.#asked.clear();
  }

  #view(id: string): View<User | undefined> {
    const view = derived([this.all], (all) => all.get(id));
    const subscribe = (listener: () => void) => {
      this.need([id]);
      return view.subscribe(listener);
    };
    return { get: view.get, subscribe };
  }

  async #query(ids: readonly string[]): Promise<void> {
    try {
      this.know(...(await this.#context.call("users.query", { ids })).users);
    } catch (error) {
      for (const each of ids) this.#asked.delete(each);
      this.#context.failed(error);
    }
  }
}

/** Who is there: followed while somebody looks, and for a moment longer. */
export class Presences {
  readonly #context: Context;
  readonly #known = new Cell<ReadonlyMap<string, Presence>>(new Map());
  /** How many look at each, and what ends the following. */
  readonly #watched = new Map<
    string,
    { count: number; leaving: ReturnType<typeof setTimeout> | undefined }
  >();
  readonly #follow = new Batch<string>((users) => void this.#ask(users), GATHER, MOST);
  readonly #unfollow = new Batch<string>((users) => void this.#end(users), GATHER, MOST);
  readonly #views = new Views((user) => this.#view(user));
  #leave: (() => void) | undefined;
  #connection: unknown;

  constructor(context: Context) {
    this.#context = context;
  }

  start(): void {
    this.#leave ??= this.#context.whileLive(() => {
      const connection = this.#context.client.connection.get();
      if (connection === this.#connection) return;
      this.#connection = connection;
      // It is in no log, and a new session follows nobody.
      this.#follow.add(...this.#watched.keys());
    });
  }

  stop(): void {
    this.#leave?.();
    this.#leave = undefined;
    this.#connection = undefined;
    for (const { leaving } of this.#watched.values()) clearTimeout(leaving);
    this.#follow.stop();
    this.#unfollow.stop();
    this.#known.set(new Map());
  }

  of(user: string): View<Presence | undefined> {
    return this.#views.of(user);
  }

  heard(event: ChatEvent): void {
    if (event.type !== "presence" || !this.#watched.has(event.user)) return;
    const { type: _, ...presence } = event;
    this.#known.update((all) => put(all, presence.user, presence));
  }

  #view(user: string): View<Presence | undefined> {
    const view = derived([this.#known], (all) => all.get(user));
    const subscribe = (listener: () => void) => {
      const leave = view.subscribe(listener);
      this.#watch(user);
      let left = false;
      return () => {
        leave();
        if (!left) this.#unwatch(user);
        left = true;
      };
    };
    return { get: view.get, subscribe };
  }

  #watch(user: string): void {
    const watched = this.#watched.get(user);
    if (watched) {
      watched.count += 1;
      clearTimeout(watched.leaving);
      watched.leaving = undefined;
      return;
    }
    this.#watched.set(user, { count: 1, leaving: undefined });
    this.#unfollow.delete(user);
    if (this.#context.live()) this.#follow.add(user);
  }

  #unwatch(user: string): void {
    const watched = this.#watched.get(user);
    if (!watched || --watched.count > 0) return;
    watched.leaving = setTimeout(() => {
      this.#watched.delete(user);
      this.#known.update((all) => new Map([...all].filter(([id]) => id !== user)));
      if (this.#context.live()) this.#unfollow.add(user);
    }, LINGER);
  }

  async #ask(users: readonly string[]): Promise<void> {
    try {
      const found = (await this.#context.call("presence.follow", { users })).users;
      this.#known.update((all) =>
        found.reduce(
          (known, each) => (this.#watched.has(each.user) ? put(known, each.user, each) : known),
          all,
        ),
      );
    } catch (error) {
      this.#context.failed(error);
    }
  }

  async #end(users: readonly string[]): Promise<void> {
    const left = users.filter((each) => !this.#watched.has(each));
    if (left.length === 0) return;
    await this.#context.call("presence.unfollow", { users: left }).catch(this.#context.failed);
  }
}
