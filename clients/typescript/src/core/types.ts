import type { History, Member, Position, Publication as WirePublication } from "../generated/protocol.js";
import type { HubbubError } from "./errors.js";
import type { View } from "./view.js";

export type { History, Member, Position, Presence } from "../generated/protocol.js";

/** How frames travel. */
export type TransportName = "websocket" | "sse" | "polling";

/** Why a token is asked for: for the first time, because the last was refused, or because it soon will be. */
export type TokenReason = "first" | "expired" | "expiring";

/** A token, or what fetches one. If fetching fails, it is tried again with back-off; throw a HubbubError that is not
 * `temporary` to give up. */
export type TokenSource = string | ((reason: TokenReason) => string | Promise<string>);

/** Where a client stands. `retryAt` is in milliseconds since the epoch, by the device's clock. */
export type ConnectionState =
  | { readonly status: "idle" }
  | {
      readonly status: "connecting";
      readonly attempt: number;
      /** Why the last attempt failed. */
      readonly reason?: string;
      readonly retryAt?: number;
    }
  | {
      readonly status: "connected";
      readonly transport: TransportName;
      readonly session: string;
      readonly user: string;
      /** Whether the session is the one from before the last drop. */
      readonly resumed: boolean;
    }
  | {
      readonly status: "recovering";
      readonly attempt: number;
      readonly retryAt: number;
      readonly reason: string;
    }
  | { readonly status: "offline"; readonly reason: string }
  | { readonly status: "failed"; readonly error: HubbubError }
  | { readonly status: "closed" };

/** The part of the WebSocket API that is used: the browser's, Node's (22 and later), or `ws`. */
export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => WebSocketLike;

export interface WebSocketLike {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export interface HubbubOptions {
  /** Absent: anonymous, where the server allows it. */
  readonly token?: TokenSource;
  /** In the order in which they are tried. Default: WebSocket, event stream, long-polling. */
  readonly transports?: readonly TransportName[];
  /** For hosts without a global one, such as Node 20: `import { WebSocket } from "ws"`. Without it, event streams are used. */
  readonly WebSocket?: WebSocketConstructor;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
  /** Seconds in which a connection must stand. Default: 5. */
  readonly connectTimeout?: number;
  /** Seconds after which it is looked whether WebSockets get through by now; later twice that, up to 10 minutes.
   * Default: 30. */
  readonly upgradeAfter?: number;
  /** Shown to operators. Default: "hubbub-js". */
  readonly name?: string;
  /** Told what a listener throws, and refusals that nobody waits for. Default: `reportError`, or the console. */
  readonly onError?: (error: unknown) => void;
}

/** What a channel carries: event names to the types of their data. */
export type Events = object;

/** One publication of a channel whose events are `E`; narrow it by `event`. Field names are the wire's. */
export type Publication<E extends Events = Record<string, unknown>> = {
  readonly [K in keyof E & string]: Omit<WirePublication, "event" | "data"> & {
    readonly event: K;
    readonly data: E[K];
  };
}[keyof E & string];

/** A page of a channel's log. */
export type Page<E extends Events = Record<string, unknown>> = Omit<History, "publications"> & {
  readonly publications: readonly Publication<E>[];
};

/** The session is in the channel: for the first time, or again after a drop. */
export interface Subscribed {
  readonly type: "subscribed";
  readonly channel: string;
  /** Where it goes on from; absent where no log is kept. */
  readonly position?: Position;
  /** Whether the channel keeps a log. */
  readonly recoverable: boolean;
  /** Whether all since the last position was had; that is told by `recovered`, and its contrary by `gap`. */
  readonly recovered: boolean;
}

/** Nothing is missing: the `count` publications that were missed come next. */
export interface Recovered {
  readonly type: "recovered";
  readonly channel: string;
  readonly count: number;
}

/** Publications after `since` are lost to this client, which goes on after `position`: read the state afresh. */
export interface Gap {
  readonly type: "gap";
  readonly channel: string;
  readonly since: Position;
  /** Absent if not known. */
  readonly position?: Position;
}

/** The subscription has ended: the server refused or ended it. `code` is an error code. */
export interface Unsubscribed {
  readonly type: "unsubscribed";
  readonly channel: string;
  readonly code: number;
  readonly reason: string;
}

export interface Joined {
  readonly type: "join" | "leave";
  readonly channel: string;
  readonly member: Member;
}

/** What a channel tells, in order. */
export type ChannelEvent<E extends Events = Record<string, unknown>> =
  | Publication<E>
  | Gap
  | Recovered
  | Subscribed
  | Unsubscribed
  | Joined;

/** What to do with it. All are optional, and called in order; what they throw goes to `onError`. */
export interface Handlers<E extends Events = Record<string, unknown>> {
  publication?: ((publication: Publication<E>) => void) | undefined;
  gap?: ((gap: Gap) => void) | undefined;
  recovered?: ((recovered: Recovered) => void) | undefined;
  subscribed?: ((subscribed: Subscribed) => void) | undefined;
  unsubscribed?: ((unsubscribed: Unsubscribed) => void) | undefined;
  join?: ((joined: Joined) => void) | undefined;
  leave?: ((left: Joined) => void) | undefined;
  /** Unsubscribes when it aborts. */
  signal?: AbortSignal | undefined;
}

export interface ChannelOptions {
  /** Whether others see this session here. Default: true. */
  readonly presence?: boolean;
  /** A token for this channel alone; a function is asked at each entering. */
  readonly token?: string | (() => string | Promise<string>);
  /** Start with what came after this position, or with a Gap. */
  readonly since?: Position;
}

/** One subscriber of a channel. The session is in the channel as long as there is one. */
export interface Subscription {
  /** Settles once: in the channel for the first time, or refused (HubbubError). Never settles before a connection. */
  readonly ready: Promise<Subscribed>;
  readonly unsubscribe: () => void;
}

export interface PublishOptions {
  /** Makes repeats safe; made up if absent. */
  readonly key?: string;
  /** false spares this session its own copy. */
  readonly echo?: boolean;
  /** In namespaces that conflate: a later publication with the same key replaces an earlier one. */
  readonly conflationKey?: string;
  readonly signal?: AbortSignal;
}

export interface HistoryOptions {
  readonly since?: Position | undefined;
  /** Default: 100. */
  readonly limit?: number;
  /** Newest first. */
  readonly reverse?: boolean;
  readonly signal?: AbortSignal;
}

export interface CallOptions {
  /** Makes repeats safe: the call is sent again after a drop. */
  readonly key?: string | undefined;
  /** The method only reads: it is sent again after a drop, without a key. */
  readonly read?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A command as docs/reference/protocol.md has it, without its `id`. */
export interface RawCommand {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Its reply as it came. */
export interface RawReply extends RawCommand {
  readonly id: number;
}

/** Who is in a channel, one Member for each user, kept true while it is followed. Empty before that. */
export interface PresenceSet extends View<readonly Member[]> {
  /** How many there are; more than there are members where the channel is too large to name them. */
  readonly users: View<number>;
}

/** A named stream of publications. Handles are cheap: two of one name share the subscription. */
export interface Channel<E extends Events = Record<string, unknown>> extends AsyncIterable<Publication<E>> {
  readonly name: string;
  readonly presence: PresenceSet;
  /** Follow the channel. Connects if need be. */
  subscribe(handlers: Handlers<E> | ((publication: Publication<E>) => void)): Subscription;
  /** The same as an iterator with gaps and all; iterating the channel itself gives publications only. They wait,
   * unbounded, while you are busy. Leaving the loop unsubscribes. */
  events(signal?: AbortSignal): AsyncIterableIterator<ChannelEvent<E>>;
  /**
   * Publish; waits for the connection, is sent again with its key after a drop, and accepted once. Its Position in the
   * log, null where none is kept. Rejects with HubbubError.
   */
  publish<K extends keyof E & string>(
    event: K,
    data: E[K],
    options?: PublishOptions,
  ): Promise<Position | null>;
  /** A page of the log. Rejects with HubbubError (118 where none is kept). */
  history(options?: HistoryOptions): Promise<Page<E>>;
}
