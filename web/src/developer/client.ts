/** One client on the page: a session of the SDK's, and all that is shown of it. */

import {
  type Channel,
  type ChannelEvent,
  type ConnectionState,
  Hubbub,
  HubbubError,
  type Publication,
  type Subscription,
  type TransportName,
} from "hubbub";
import { BASE } from "../app/page.ts";
import { devToken } from "../app/tokens.ts";
import { type Command, titleOf } from "./commands.ts";
import { FrameLog } from "./frames.ts";
import { Network } from "./network.ts";
import { appended, Paced } from "./paced.ts";

/** Who one is: by a token that the development server makes, by a given one, or without any. */
export type As =
  | { readonly kind: "user"; readonly user: string }
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "nobody" };

/** What became of what was missed. */
export type Outcome =
  | { readonly kind: "recovered"; readonly count: number }
  | { readonly kind: "gap" }
  | { readonly kind: "refused"; readonly code: number; readonly reason: string };

export type Reason = "anew" | "short" | "unkept";

export type Entry =
  | {
      readonly kind: "publication";
      readonly key: number;
      readonly publication: Publication;
      readonly recovered: boolean;
    }
  | { readonly kind: "recovered"; readonly key: number; readonly channel: string; readonly count: number }
  | { readonly kind: "gap"; readonly key: number; readonly channel: string; readonly reason: Reason }
  | {
      readonly kind: "waiting";
      readonly key: number;
      readonly text: string;
      readonly error?: HubbubError;
    };

/** A command and what was answered. */
export interface Exchange {
  readonly key: number;
  readonly title: string;
  /** Milliseconds that the answer took; absent while it is awaited. */
  readonly took?: number;
  readonly reply?: unknown;
  readonly error?: unknown;
}

export interface ClientState {
  readonly as: As;
  readonly connection: ConnectionState;
  readonly outcome: Outcome | undefined;
  /** By us, on purpose. */
  readonly dropped: boolean;
  readonly transport: TransportName;
  readonly entries: readonly Entry[];
  /** How many publications were in the log when the channel was entered, at most 100. */
  readonly earlier: number;
  readonly members: readonly string[];
  /** More than there are members, where they are too many to be named. */
  readonly users: number;
  /** The channel says nothing of who is in it. */
  readonly hidden: boolean;
  /** The channels it follows; the first is the page's. */
  readonly channels: readonly string[];
  readonly exchanges: readonly Exchange[];
  readonly unread: number;
}

const KEPT = 500;
const EARLIER = 100;
const EXCHANGES = 50;

interface Following {
  readonly subscription: Subscription;
  readonly leave: () => void;
}

let clients = 0;

export class Client {
  readonly id = ++clients;
  readonly state: Paced<ClientState>;
  readonly frames = new FrameLog();

  #channel: string;
  #network = new Network(() => undefined);
  #hubbub: Hubbub | undefined;
  #following = new Map<string, Following>();
  #keys = 0;

  constructor(as: As, channel: string) {
    this.#channel = channel;
    this.state = new Paced<ClientState>({
      as,
      connection: { status: "idle" },
      outcome: undefined,
      dropped: false,
      transport: "websocket",
      entries: [],
      earlier: 0,
      members: [],
      users: 0,
      hidden: false,
      channels: [],
      exchanges: [],
      unread: 0,
    });
  }

  get name(): string {
    const { as, connection } = this.state.latest;
    if (as.kind === "user") return as.user;
    return connection.status === "connected" ? connection.user : "";
  }

  // --- the session ---------------------------------------------------------------------------------------

  /** Connect, as whoever one is now; a session that stands ends. */
  start(): void {
    const others = this.state.latest.channels.slice(1);
    this.stop();
    const { as, transport } = this.state.latest;
    const network = new Network((direction, text, http) => this.frames.add(direction, text, http));
    network.webSockets = transport === "websocket";
    const hubbub = new Hubbub(BASE, {
      ...(as.kind === "user" && { token: () => devToken(BASE, as.user) }),
      ...(as.kind === "token" && { token: as.token }),
      WebSocket: network.WebSocket,
      fetch: network.fetch,
      name: "hubbub-developer",
      onError: (error) => this.#reported(error),
    });
    this.#network = network;
    this.#hubbub = hubbub;
    if (transport !== "websocket") hubbub.reconnect(transport);
    hubbub.connection.subscribe(() => this.#hubbub === hubbub && this.#connection(hubbub.connection.get()));
    this.state.change({ entries: [], earlier: 0, channels: [] });
    for (const channel of [this.#channel, ...others]) this.#follow(channel);
    hubbub.connect().catch(() => undefined); // the state says so
  }

  stop(): void {
    const hubbub = this.#hubbub;
    this.#hubbub = undefined;
    for (const { leave } of this.#following.values()) leave();
    this.#following.clear();
    void hubbub?.close();
    this.state.change({ connection: { status: "idle" }, outcome: undefined, dropped: false, members: [] });
  }

  become(as: As): void {
    this.state.change({ as });
    this.start();
  }

  /** Go on with the same session over another transport. */
  use(transport: TransportName): void {
    this.state.change({ transport });
    this.#network.webSockets = transport === "websocket";
    this.#hubbub?.reconnect(transport);
  }

  /** Lose the network: no good-bye to the session, and no way back before `restore()`. */
  drop(): void {
    this.state.change({ dropped: true });
    this.#network.drop();
  }

  restore(): void {
    this.state.change({ dropped: false });
    this.#network.restore();
    this.#hubbub?.reconnect();
  }

  reconnect(): void {
    this.#hubbub?.reconnect();
  }

  #connection(connection: ConnectionState): void {
    const { outcome } = this.state.latest;
    // What is missing is told before the connection is: only what was said of an earlier one is forgotten.
    this.state.change({ connection, outcome: connection.status === "connected" ? outcome : undefined });
  }

  #reported(error: unknown): void {
    const off = error instanceof HubbubError && error.name === "not_available";
    if (off) this.state.change({ hidden: true });
    else this.#exchanged({ key: ++this.#keys, title: "", error });
  }

  // --- channels ------------------------------------------------------------------------------------------

  /** Move to another channel, and forget what was said. */
  enter(channel: string): void {
    this.#unfollow(this.#channel);
    this.#channel = channel;
    const { channels } = this.state.latest;
    this.state.change({
      entries: [],
      earlier: 0,
      members: [],
      users: 0,
      unread: 0,
      hidden: false,
      channels: [],
    });
    this.#follow(channel);
    this.state.change({ channels: [channel, ...channels.slice(1).filter((each) => each !== channel)] });
  }

  #follow(name: string): Subscription | undefined {
    const hubbub = this.#hubbub;
    const already = this.#following.get(name);
    if (hubbub === undefined || already !== undefined) return already?.subscription;
    const channel = hubbub.channel(name);
    const follower = new Follower((entries, outcome) => this.#told(entries, outcome));
    const subscription = channel.subscribe({
      publication: (publication) => follower.publication(publication),
      subscribed: (subscribed) => {
        if (name === this.#channel && !follower.entered)
          this.state.change({ earlier: Math.min(subscribed.position?.offset ?? 0, EARLIER) });
        follower.subscribed(subscribed);
      },
      recovered: (recovered) => follower.recovered(recovered),
      gap: (gap) => follower.gap(gap),
      unsubscribed: ({ code, reason }) => this.#ended(name, code, reason),
    });
    const stop = name === this.#channel ? this.#watchPresence(channel) : () => undefined;
    this.#following.set(name, {
      subscription,
      leave: () => {
        stop();
        subscription.unsubscribe();
      },
    });
    const { channels } = this.state.latest;
    if (!channels.includes(name)) this.state.change({ channels: [...channels, name] });
    return subscription;
  }

  #unfollow(name: string): void {
    this.#following.get(name)?.leave();
    this.#following.delete(name);
    this.state.change({ channels: this.state.latest.channels.filter((each) => each !== name) });
  }

  #ended(name: string, code: number, reason: string): void {
    this.#following.delete(name);
    this.state.change({ channels: this.state.latest.channels.filter((each) => each !== name) });
    if (name === this.#channel)
      this.state.change({ outcome: { kind: "refused", code, reason }, members: [] });
  }

  #watchPresence({ presence }: Channel): () => void {
    const show = () => {
      const members = presence.get().map(({ user }) => user);
      this.state.change({ members: members.sort(), users: presence.users.get() });
    };
    const stops = [presence.subscribe(show), presence.users.subscribe(show)];
    return () => {
      for (const stop of stops) stop();
    };
  }

  #told(told: readonly Untold[], outcome: Outcome | undefined): void {
    const { entries, unread } = this.state.latest;
    const added = told.map((each) => ({ ...each, key: ++this.#keys }) as Entry);
    const others = told.filter(
      (each) => each.kind === "publication" && each.publication.sender !== this.name,
    );
    this.state.change({
      entries: appended(entries, added, KEPT),
      unread: unread + others.length,
      ...(outcome !== undefined && { outcome }),
    });
  }

  seen(): void {
    if (this.state.latest.unread > 0) this.state.change({ unread: 0 });
  }

  async showEarlier(): Promise<void> {
    this.state.change({ earlier: 0 });
    try {
      const page = await this.#hubbub?.channel(this.#channel).history({ limit: EARLIER, reverse: true });
      const known = new Set(
        this.state.latest.entries.map((each) =>
          each.kind === "publication" ? each.publication.offset : undefined,
        ),
      );
      const older = (page?.publications ?? []).filter(({ offset }) => !known.has(offset)).reverse();
      const entries = older.map(
        (publication): Entry => ({ kind: "publication", key: ++this.#keys, publication, recovered: false }),
      );
      this.state.change({ entries: appended(entries, this.state.latest.entries, KEPT) });
    } catch (error) {
      this.#reported(error);
    }
  }

  // --- what people do ------------------------------------------------------------------------------------

  /** Publish a text in the page's channel. Until it is there it is shown as waiting, if it has to wait. */
  async say(text: string): Promise<void> {
    const key = ++this.#keys;
    const waiting: Entry = { kind: "waiting", key, text };
    const others = () => this.state.latest.entries.filter((each) => each.key !== key);
    const waits = this.state.latest.connection.status !== "connected";
    if (waits) this.state.change({ entries: appended(others(), [waiting], KEPT) });
    try {
      await this.#hubbub?.channel(this.#channel).publish("message", { text });
      if (waits) this.state.change({ entries: others() });
    } catch (why) {
      const error = why instanceof HubbubError ? why : undefined;
      if (error?.code === CLOSED) return; // it is somebody else's list by now
      this.state.change({
        entries: appended(others(), [{ ...waiting, ...(error && { error }) }], KEPT),
      });
    }
  }

  /** Do what a command says; the list of exchanges tells what came of it. */
  async run(command: Command): Promise<void> {
    const started = performance.now();
    const exchange: Exchange = { key: ++this.#keys, title: titleOf(command) };
    this.#exchanged(exchange);
    const done = (result: Partial<Exchange>) => {
      const took = performance.now() - started;
      const { exchanges } = this.state.latest;
      const { key } = exchange;
      this.state.change({
        exchanges: exchanges.map((each) => (each.key === key ? { ...each, took, ...result } : each)),
      });
    };
    try {
      done({ reply: (await this.#run(command)) ?? null });
    } catch (error) {
      done({ error });
    }
  }

  async #run(command: Command): Promise<unknown> {
    const hubbub = this.#hubbub;
    if (hubbub === undefined) return undefined;
    switch (command.kind) {
      case "publish":
        return hubbub.channel(command.channel).publish(command.event, command.data);
      case "subscribe":
        return this.#follow(command.channel)?.ready;
      case "unsubscribe":
        if (this.#following.has(command.channel)) return this.#unfollow(command.channel);
        return hubbub.command({ type: "unsubscribe", channel: command.channel });
      case "history": {
        const { limit, reverse } = command;
        return hubbub.channel(command.channel).history({ limit, reverse });
      }
      case "presence":
        return (await hubbub.command({ type: "presence", channel: command.channel })).result;
      case "call":
        return hubbub.call(command.method, command.params);
      case "raw":
        return hubbub.command(command.command);
    }
  }

  #exchanged(exchange: Exchange): void {
    this.state.change({ exchanges: appended(this.state.latest.exchanges, [exchange], EXCHANGES) });
  }

  forget(): void {
    this.state.change({ exchanges: [] });
  }
}

const CLOSED = 1000;

type Untold = Entry extends infer E ? (E extends Entry ? Omit<E, "key"> : never) : never;
type Told<T extends ChannelEvent["type"]> = Extract<ChannelEvent, { type: T }>;

/** Reads what one channel tells: which publications were missed, and where some are lost. */
class Follower {
  entered = false;
  readonly #tell: (entries: readonly Untold[], outcome?: Outcome) => void;
  #missed = 0; // of those that come next

  constructor(tell: (entries: readonly Untold[], outcome?: Outcome) => void) {
    this.#tell = tell;
  }

  subscribed({ channel, recoverable }: Told<"subscribed">): void {
    const again = this.entered;
    this.entered = true;
    this.#missed = 0;
    if (again && !recoverable) this.#tell([{ kind: "gap", channel, reason: "unkept" }], { kind: "gap" });
  }

  recovered({ channel, count }: Told<"recovered">): void {
    this.#missed = count;
    this.#tell([{ kind: "recovered", channel, count }], { kind: "recovered", count });
  }

  gap({ channel, since, position }: Told<"gap">): void {
    const reason = position !== undefined && position.epoch === since.epoch ? "short" : "anew";
    this.#tell([{ kind: "gap", channel, reason }], { kind: "gap" });
  }

  publication(publication: Publication): void {
    const recovered = this.#missed > 0;
    if (recovered) this.#missed--;
    this.#tell([{ kind: "publication", publication, recovered }]);
  }
}
