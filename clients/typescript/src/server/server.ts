// What a backend does with Hubbub: it says who its users are, publishes, administers. Nothing of Node's is used: it
// works wherever `fetch` and WebCrypto are.

import type { File as ChatFile } from "../generated/chat.js";
import type { History, Position, Presence } from "../generated/protocol.js";
import type {
  ChannelInfo,
  ChannelPage,
  DeadLetterInfo,
  DeadLetterPage,
  Dropped,
  NodeList,
  Outcome,
  Outcomes,
  Placement,
  Published,
  SessionInfo,
  SessionPage,
  Sessions,
} from "../generated/rest.js";
import { type CallOptions, Http, type HttpOptions } from "./http.js";
import { type ChatApi, chatApi } from "./operations.js";
import { type ChannelTokenOptions, mintChannelToken, mintToken, type TokenOptions } from "./tokens.js";

export interface HubbubServerOptions extends HttpOptions {
  /** The server's `auth.hmac_secret`, at least 32 bytes: for `token` and `channelToken`. */
  tokenSecret?: string | undefined;
}

/** What a publication may carry beside its event and data. */
export interface PublishOptions extends CallOptions {
  /** What this is the latest value of, in namespaces that conflate. */
  conflationKey?: string;
  /** Id of a session that is not to get it. */
  exclude?: string;
}

/** One publication of many. */
export interface PublishItem {
  channel: string;
  /** By default `message`. */
  event?: string;
  data: unknown;
  key?: string;
  conflationKey?: string;
  exclude?: string;
}

export interface HistoryOptions extends CallOptions {
  /** Position to start after (before, with `reverse`). */
  since?: Position;
  /** At most so many; by default 100. */
  limit?: number;
  /** Newest first. */
  reverse?: boolean;
}

/** A page of a list: `after` is `next` of the page before. */
export interface PageOptions extends CallOptions {
  after?: string;
  limit?: number;
}

/** One user's sessions, or one session. */
export type Target = { readonly user: string } | { readonly session: string };

/**
 * The server API of Hubbub.
 *
 * Calls are repeated with back-off where that is safe: what only reads, and what has an idempotency key, which is made
 * up where none is given. They reject with HubbubError.
 */
export class HubbubServer {
  readonly #http: Http;
  readonly #secret: string | undefined;
  #chat: ChatApi | undefined;

  /** `url` is the server's, such as `https://chat.example.com`. Throws TypeError for what is none. */
  constructor(url: string, options: HubbubServerOptions = {}) {
    this.#http = new Http(url, options);
    this.#secret = options.tokenSecret;
  }

  // --- tokens -----------------------------------------------------------------------------------------------

  /** A connection token for `user`. Throws TypeError without `tokenSecret`, and for what no token may say. */
  async token(user: string, options: TokenOptions = {}): Promise<string> {
    return mintToken(this.#needSecret(), user, options);
  }

  /** A token that lets `user` into one channel (`hubbub.channel(name, { token })`). Throws as `token` does. */
  async channelToken(user: string, channel: string, options: ChannelTokenOptions = {}): Promise<string> {
    return mintChannelToken(this.#needSecret(), user, channel, options);
  }

  /** Refuse all tokens that `user` has so far, or the one with `tokenId`, and end the sessions that stand on them. */
  revoke(what: { user?: string; tokenId?: string }, options: CallOptions = {}): Promise<Sessions> {
    return this.#write("/v1/revoke", { user: what.user, token_id: what.tokenId }, options);
  }

  #needSecret(): string {
    if (!this.#secret) throw new TypeError("this needs the secret: new HubbubServer(url, { tokenSecret })");
    return this.#secret;
  }

  // --- publishing -------------------------------------------------------------------------------------------

  /** Append to the channel's log, where one is kept, and send to all who are there. */
  publish(channel: string, event: string, data: unknown, options: PublishOptions = {}): Promise<Published> {
    const { conflationKey: conflation_key, exclude } = options;
    return this.#keyed("/v1/publish", { channel, event, data, conflation_key, exclude }, options);
  }

  /** Publish these in their order. One that is refused does not stop the others: each has its own outcome. */
  async publishMany(items: readonly PublishItem[], options: CallOptions = {}): Promise<readonly Outcome[]> {
    const answer = await this.#keyed<Outcomes>("/v1/publish/batch", { items: items.map(item) }, options);
    return answer.outcomes;
  }

  /** Publish the same to many channels. One that is refused does not stop the others. */
  async broadcast(
    channels: readonly string[],
    event: string,
    data: unknown,
    options: CallOptions = {},
  ): Promise<readonly Outcome[]> {
    return (await this.#keyed<Outcomes>("/v1/broadcast", { channels, event, data }, options)).outcomes;
  }

  /** Send to all sessions of a user, or to one session, whatever channels they are in. It is kept in no log. */
  send(to: Target, event: string, data: unknown, options: CallOptions = {}): Promise<Sessions> {
    return this.#keyed(`${place(to)}/publish`, { event, data }, options);
  }

  // --- channels ---------------------------------------------------------------------------------------------

  /** Channels with subscribers or a log, by name. */
  channels(options: { prefix?: string; limit?: number } & CallOptions = {}): Promise<ChannelPage> {
    const { prefix, limit, signal } = options;
    return this.#read("/v1/channels", { prefix, limit }, signal);
  }

  /** Subscribers on all nodes, the head of the log, who is there. A channel that nobody uses is no error. */
  channel(name: string, options: CallOptions = {}): Promise<ChannelInfo> {
    return this.#read(`/v1/channels/${encodeURIComponent(name)}`, {}, options.signal);
  }

  /** What the log retains, oldest first. `complete` is false where something after `since` is missing. */
  history(channel: string, options: HistoryOptions = {}): Promise<History> {
    const { since, limit, reverse, signal } = options;
    const query = { since: since && `${since.epoch}:${since.offset}`, limit, reverse };
    return this.#read(`/v1/channels/${encodeURIComponent(channel)}/history`, query, signal);
  }

  /** How many are there, and who, where the namespace keeps that and they are not too many. */
  presence(channel: string, options: CallOptions = {}): Promise<Presence> {
    return this.#read(`/v1/channels/${encodeURIComponent(channel)}/presence`, {}, options.signal);
  }

  // --- sessions ---------------------------------------------------------------------------------------------

  /** Sessions on all nodes, or those of one user. */
  connections(options: { user?: string } & PageOptions = {}): Promise<SessionPage> {
    const { user, after, limit, signal } = options;
    const path = user === undefined ? "/v1/connections" : `${place({ user })}/connections`;
    return this.#read(path, { after, limit }, signal);
  }

  /** One session. Refused with `not_found` when it has ended. */
  connection(session: string, options: CallOptions = {}): Promise<SessionInfo> {
    return this.#read(place({ session }), {}, options.signal);
  }

  /**
   * End all sessions of a user, or one session. They cannot be resumed.
   *
   * `code` says why and what clients do: by default 3502, which is not to come back; 4000 to 4999 are your own. Who is
   * to stay out needs its tokens revoked, too.
   */
  disconnect(who: Target, options: { code?: number } & CallOptions = {}): Promise<Sessions> {
    return this.#write(`${place(who)}/disconnect`, { code: options.code }, options);
  }

  /** Put all sessions that a user has now into a channel. */
  subscribe(user: string, channel: string, options: CallOptions = {}): Promise<Sessions> {
    return this.#write(`${place({ user })}/subscribe`, { channel }, options);
  }

  /** Take a user's sessions out of a channel. */
  unsubscribe(user: string, channel: string, options: CallOptions = {}): Promise<Sessions> {
    return this.#write(`${place({ user })}/unsubscribe`, { channel }, options);
  }

  // --- the chat ---------------------------------------------------------------------------------------------

  /** All operations of the chat, as the server: `chat.users.upsert({ user: "ada", name: "Ada" })`. */
  get chat(): ChatApi {
    this.#chat ??= chatApi(this.#http, undefined);
    return this.#chat;
  }

  /** In the place of a user, who must exist: what it may do. */
  as(user: string): ActingUser {
    return new ActingUser(this.#http, user);
  }

  // --- operating --------------------------------------------------------------------------------------------

  /** The processes that serve together. */
  nodes(options: CallOptions = {}): Promise<NodeList> {
    return this.#read("/v1/nodes", {}, options.signal);
  }

  /** Which nodes are to have `key`, best first; at most `count`, by default 3. */
  placement(key: string, options: { count?: number } & CallOptions = {}): Promise<Placement> {
    return this.#read("/v1/placement", { key, count: options.count }, options.signal);
  }

  /** What the broker brought and nodes could not handle, newest first. `before` is `next` of the page before. */
  deadLetters(options: { before?: string; limit?: number } & CallOptions = {}): Promise<DeadLetterPage> {
    const { before, limit, signal } = options;
    return this.#read("/v1/dead-letters", { before, limit }, signal);
  }

  /** One dead letter with all that is in it. */
  deadLetter(letter: string, options: CallOptions = {}): Promise<DeadLetterInfo> {
    return this.#read(`/v1/dead-letters/${encodeURIComponent(letter)}`, {}, options.signal);
  }

  /** Publish again what is in a dead letter, to all nodes, and throw it away. */
  replayDeadLetter(letter: string, options: CallOptions = {}): Promise<DeadLetterInfo> {
    return this.#write(`/v1/dead-letters/${encodeURIComponent(letter)}/replay`, undefined, options);
  }

  /** Throw one dead letter away, or `"all"`. */
  dropDeadLetters(letter: string, options: CallOptions = {}): Promise<Dropped> {
    const path = letter === "all" ? "/v1/dead-letters" : `/v1/dead-letters/${encodeURIComponent(letter)}`;
    return this.#http.call({ method: "DELETE", path, signal: options.signal });
  }

  // --- ways to call -----------------------------------------------------------------------------------------

  #read<T>(path: string, query: object, signal: AbortSignal | undefined): Promise<T> {
    return this.#http.call({ method: "GET", path, query: query as Record<string, unknown>, signal });
  }

  #keyed<T>(path: string, body: object, { key = crypto.randomUUID(), signal }: CallOptions): Promise<T> {
    return this.#http.call({ method: "POST", path, body, key, signal });
  }

  /** What takes no key, and is not repeated when it may have been done. */
  #write<T>(path: string, body: object | undefined, { signal }: CallOptions): Promise<T> {
    return this.#http.call({ method: "POST", path, body, signal });
  }
}

/** What the server does in the place of a user. */
export class ActingUser {
  readonly user: string;
  /** All operations of the chat, as the user may do them. */
  readonly chat: ChatApi;
  readonly #http: Http;

  constructor(http: Http, user: string) {
    this.user = user;
    this.#http = http;
    this.chat = chatApi(http, user);
  }

  /**
   * Upload a file that the user can then send: at most `attachments.small_bytes` (5 MiB).
   *
   * `{ type: "file", file: (await upload(...)).id }` is the part of a message that shows it.
   */
  upload(file: Blob | Uint8Array, options: { name: string; signal?: AbortSignal }): Promise<ChatFile> {
    const { name, signal } = options;
    return this.#http.call({
      method: "POST",
      path: "/v1/uploads",
      query: { name },
      body: file,
      user: this.user,
      signal,
    });
  }
}

function place(target: Target): string {
  return "user" in target
    ? `/v1/users/${encodeURIComponent(target.user)}`
    : `/v1/connections/${encodeURIComponent(target.session)}`;
}

function item({ conflationKey, ...rest }: PublishItem): object {
  return { ...rest, conflation_key: conflationKey };
}
