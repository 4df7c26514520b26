import type { History, HistoryQuery, Presence, PresenceQuery, Published } from "../generated/protocol.js";
import { randomKey } from "./chance.js";
import type { Channels, Follower } from "./channels.js";
import type { Connection } from "./connection.js";
import { CODE, ended, HubbubError } from "./errors.js";
import { createPresence } from "./presence.js";
import type {
  Channel,
  ChannelEvent,
  ChannelOptions,
  Events,
  Handlers,
  HistoryOptions,
  Page,
  Position,
  PresenceSet,
  Publication,
  PublishOptions,
  Subscribed,
  Subscription,
} from "./types.js";

/** What handles of channels work with. */
export interface ChannelHost {
  readonly connection: Connection;
  readonly channels: Channels;
  /** Where errors go that nobody waits for. */
  readonly report: (error: unknown) => void;
}

/** A handle of one channel: it has no state of its own, so two of one name are the same channel. */
export class ChannelHandle<E extends Events> implements Channel<E> {
  readonly name: string;
  readonly presence: PresenceSet;
  readonly #host: ChannelHost;
  readonly #options: ChannelOptions;

  constructor(host: ChannelHost, name: string, options: ChannelOptions) {
    this.#host = host;
    this.name = name;
    this.#options = options;
    const presence = () => this.#query<Presence>({ type: "presence", channel: name });
    this.presence = createPresence(this as Pick<Channel, "subscribe">, presence, host.report);
  }

  subscribe(given: Handlers<E> | ((publication: Publication<E>) => void)): Subscription {
    const handlers: Handlers<E> = typeof given === "function" ? { publication: given } : given;
    const { report } = this.#host;
    const { signal } = handlers;
    let awaited = Boolean(handlers.unsubscribed);
    let settled = false;
    let resolve: (subscribed: Subscribed) => void;
    let reject: (error: unknown) => void;
    const ready = new Promise<Subscribed>((yes, no) => {
      resolve = yes;
      reject = no;
    });
    ready.catch(() => {}); // who does not wait for it is told otherwise
    const unsubscribe = this.#follow({
      tell: (event) => {
        if (event.type === "subscribed" && !settled) {
          settled = true;
          resolve(event);
        }
        try {
          // By its type, an event is the handler's own.
          (handlers[event.type] as ((event: unknown) => void) | undefined)?.(event);
        } catch (error) {
          report(error);
        }
      },
      end: (error) => {
        const why = error ?? ended(CODE.normal, "the client is closed");
        if (settled) return;
        settled = true;
        reject(why);
        if (!awaited && error) queueMicrotask(() => awaited || report(error));
      },
    });
    const leave = () => {
      signal?.removeEventListener("abort", leave);
      unsubscribe();
      if (settled) return;
      settled = true;
      reject(signal?.aborted ? signal.reason : ended(CODE.normal, "unsubscribed"));
    };
    if (signal?.aborted) leave();
    else signal?.addEventListener("abort", leave);
    return {
      get ready() {
        awaited = true;
        return ready;
      },
      unsubscribe: leave,
    };
  }

  /** Every event, to one follower, from a moment after this call on. */
  #follow(follower: Follower): () => void {
    const { connection, channels } = this.#host;
    connection.start();
    const state = connection.state.get();
    if (state.status === "failed" || state.status === "closed") {
      queueMicrotask(() => follower.end(state.status === "failed" ? state.error : undefined));
    }
    return channels.follow(this.name, this.#options, follower);
  }

  events(signal?: AbortSignal): AsyncIterableIterator<ChannelEvent<E>> {
    return this.#iterate((event) => event as ChannelEvent<E>, signal);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Publication<E>> {
    return this.#iterate((event) => (event.type === "publication" ? (event as Publication<E>) : undefined));
  }

  /** What `pick` answers for each event waits until it is asked for. Ends when the client is closed, throws when it
   * failed or the server ended the subscription. */
  #iterate<T>(pick: (event: ChannelEvent) => T | undefined, signal?: AbortSignal): AsyncIterableIterator<T> {
    const waiting: T[] = [];
    const asking: { resolve: (result: IteratorResult<T>) => void; reject: (error: unknown) => void }[] = [];
    let over: { error: unknown } | undefined;
    const end = (error?: unknown) => {
      if (over) return;
      over = { error };
      signal?.removeEventListener("abort", abort);
      leave();
      for (const { resolve, reject } of asking.splice(0)) {
        if (over.error === undefined) resolve({ done: true, value: undefined });
        else reject(over.error);
        over.error = undefined; // it is thrown once
      }
    };
    const abort = () => end(signal?.reason);
    const leave = this.#follow({
      tell: (event) => {
        const value = pick(event);
        if (value === undefined || over) return;
        const next = asking.shift();
        if (next) next.resolve({ done: false, value });
        else waiting.push(value);
      },
      end,
    });
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort);
    return {
      next: () => {
        const value = waiting.shift();
        if (value !== undefined) return Promise.resolve({ done: false, value });
        if (!over) return new Promise((resolve, reject) => asking.push({ resolve, reject }));
        const { error } = over;
        over.error = undefined;
        return error === undefined
          ? Promise.resolve({ done: true, value: undefined })
          : Promise.reject(error);
      },
      return: () => {
        waiting.length = 0;
        end();
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  async publish<K extends keyof E & string>(
    event: K,
    data: E[K],
    { key = randomKey(), echo, conflationKey, signal }: PublishOptions = {},
  ): Promise<Position | null> {
    const reply = await this.#host.connection.ask(
      // `undefined` is no JSON; everything else is checked by the server.
      {
        type: "publish",
        channel: this.name,
        event,
        data: data ?? null,
        key,
        echo,
        conflation_key: conflationKey,
      },
      { resend: true, signal },
    );
    return (reply as Published).position ?? null;
  }

  async history({ since, limit, reverse, signal }: HistoryOptions = {}): Promise<Page<E>> {
    const page = await this.#query<History>(
      { type: "history", channel: this.name, since, limit, reverse },
      signal,
    );
    return page as Page<E>;
  }

  /** A command that only reads; answers its result. */
  async #query<R>(
    command: Omit<HistoryQuery, "id"> | Omit<PresenceQuery, "id">,
    signal?: AbortSignal,
  ): Promise<R> {
    const reply = await this.#host.connection.ask(command, { resend: true, signal });
    if (reply.type !== "result") {
      throw new HubbubError({
        code: CODE.badRequest,
        name: "bad_request",
        message: `answered with ${reply.type}`,
      });
    }
    return reply.result as R;
  }
}
