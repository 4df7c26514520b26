import type { Push } from "../generated/protocol.js";
import { ChannelHandle } from "./channel.js";
import { Channels } from "./channels.js";
import { type Ask, Connection } from "./connection.js";
import { CODE, HubbubError } from "./errors.js";
import { Tokens } from "./tokens.js";
import type {
  CallOptions,
  Channel,
  ChannelOptions,
  ConnectionState,
  Events,
  Gap,
  HubbubOptions,
  RawCommand,
  RawReply,
  TransportName,
} from "./types.js";
import { reportError, type View } from "./view.js";

/** What comes in channels that nobody here has subscribed to: the server has put the session into them. */
export type ServerPush = Exclude<Push, { type: "advice" | "disconnect" }> | Gap;

/**
 * A client of one Hubbub, at `url`: `https://chat.example.com`, or a path of the page's own server such as `/realtime`.
 *
 * It connects when it is first used, comes back by itself, and says where it stands in `connection`.
 */
export class Hubbub {
  /** Where the server is, without a slash at the end. */
  readonly url: string;
  /** Where the connection stands. */
  readonly connection: View<ConnectionState>;
  readonly #connection: Connection;
  readonly #channels: Channels;
  readonly #tokens: Tokens;
  readonly #options: HubbubOptions;
  readonly #handles = new Map<string, ChannelHandle<Events>>();
  readonly #listeners = new Set<(push: ServerPush) => void>();
  readonly #report: (error: unknown) => void;

  constructor(url: string, options: HubbubOptions = {}) {
    this.url = absolute(url);
    this.#options = options;
    this.#report = options.onError ?? reportError;
    this.#tokens = new Tokens(options.token);
    this.#channels = new Channels(
      () => this.#connection,
      (push) => this.#tell(push as ServerPush),
    );
    this.#connection = new Connection(this.url, options, this.#tokens, {
      positions: () => this.#channels.positions(),
      connected: (reply) => this.#channels.connected(reply),
      lost: () => this.#channels.lost(),
      push: (push) => this.#channels.push(push),
      ended: (error) => this.#channels.ended(error),
      report: this.#report,
    });
    this.connection = this.#connection.state;
  }

  /** Be connected. The first use connects too. Rejects with a HubbubError when that has failed for good; after that, and
   * after `close`, it begins anew. */
  connect(): Promise<void> {
    return this.#connection.connect();
  }

  /** End the session. What waits is rejected. */
  async close(): Promise<void> {
    this.#connection.close();
  }

  /** Connect now, whatever the back-off, and anew if need be; over `transport`, if it is one of the options'. The
   * session stays the same. */
  reconnect(transport?: TransportName): void {
    this.#connection.reconnect(transport);
  }

  /** A handle of a channel whose events are `E`. Options count for who enters the channel first. */
  channel<E extends Events = Record<string, unknown>>(name: string, options?: ChannelOptions): Channel<E> {
    let handle = this.#handles.get(name);
    if (!handle || options) {
      const host = { connection: this.#connection, channels: this.#channels, report: this.#report };
      handle = new ChannelHandle(host, name, options ?? {});
      if (!options) this.#handles.set(name, handle);
    }
    return handle as unknown as Channel<E>;
  }

  /**
   * Call a method of the server. Waits for the connection; after a drop it is sent again only with a `key`, or if it only
   * `read`s. Rejects with a HubbubError (1006 `connection_lost`: whether it was carried out is not known), or the
   * signal's reason.
   */
  async call<R = unknown>(method: string, params?: unknown, options: CallOptions = {}): Promise<R> {
    const { key, read, signal } = options;
    const reply = await this.#connection.ask(
      { type: "call", method, params: params ?? null, key },
      { resend: read === true || key !== undefined, signal },
    );
    return (reply as { result?: unknown }).result as R;
  }

  /**
   * Send any command of the protocol as it is, its `id` apart, and get the reply: for tools, and for what has no method
   * here. It is not sent again after a drop. Rejects with a HubbubError.
   */
  async command(command: RawCommand): Promise<RawReply> {
    return (await this.#connection.ask(command as Ask, { resend: false })) as unknown as RawReply;
  }

  /** Listen to what comes in channels that the server has put this session into. Call the answer to stop. */
  on(_event: "push", listener: (push: ServerPush) => void): () => void {
    const own = (push: ServerPush) => listener(push);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  #tell(push: ServerPush): void {
    for (const listener of [...this.#listeners]) {
      try {
        if (this.#listeners.has(listener)) listener(push);
      } catch (error) {
        this.#report(error);
      }
    }
  }

  /**
   * `fetch` from the server: `path` begins with a slash, and the token goes with it; once more with a new one if it is
   * refused. Addresses of elsewhere, such as signed ones, get no token. Rejects as `fetch` does.
   */
  async http(path: string, init: RequestInit = {}): Promise<Response> {
    const fetch = this.#options.fetch ?? globalThis.fetch;
    const url = path.startsWith("/") ? this.url + path : path;
    if (url !== this.url && !url.startsWith(`${this.url}/`)) return fetch(url, init);
    const send = (token: string | undefined): Promise<Response> => {
      const headers = new Headers(init.headers);
      if (token && !headers.has("authorization")) headers.set("authorization", `Bearer ${token}`);
      return fetch(url, { ...init, headers });
    };
    const response = await send(await this.#tokens.current());
    const again = response.status === 401 && this.#tokens.renewable && !isStream(init.body);
    return again ? send(await this.#tokens.fresh("expired")) : response;
  }

  /** The server's clock, in seconds since the epoch: devices' may be wrong, or be set meanwhile. */
  time(): number {
    return this.#connection.time();
  }
}

const isStream = (body: unknown): boolean => typeof body === "object" && body !== null && "getReader" in body;

function absolute(url: string): string {
  const trimmed = url.replace(/^ws/, "http").replace(/\/+$/, "");
  if (/^https?:\/\//.test(trimmed)) return trimmed;
  const origin = (globalThis as { location?: { origin?: string } }).location?.origin;
  if (origin && (trimmed === "" || trimmed.startsWith("/"))) return origin + trimmed;
  const message = `${url} is not the address of a server, such as https://chat.example.com`;
  throw new HubbubError({ code: CODE.badRequest, name: "bad_request", message });
}
