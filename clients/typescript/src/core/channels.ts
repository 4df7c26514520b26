import type {
  Connected,
  ErrorReply,
  Position,
  Publication,
  Push,
  Reply,
  ServerSubscribed,
  Subscribed as WireSubscribed,
} from "../generated/protocol.js";
import { delay } from "./chance.js";
import type { Connection } from "./connection.js";
import { CODE, HubbubError } from "./errors.js";
import type { ChannelEvent, ChannelOptions, Gap, Subscribed } from "./types.js";

/** Who follows a channel. What it throws is its own affair: `tell` does not throw. */
export interface Follower {
  tell(event: ChannelEvent): void;
  /** It is over: refused or ended by the server, or the client failed or was closed (undefined). */
  end(error: HubbubError | undefined): void;
}

/** `out`: not in the channel; `away`: in it when the connection went. */
type Phase = "out" | "entering" | "in" | "away";

class Entry {
  readonly name: string;
  readonly options: ChannelOptions;
  readonly followers = new Map<Follower, ChannelEvent[] | undefined>(); // what waits until they are told of the first
  phase: Phase = "out";
  position: Position | undefined; // the last that was seen
  last: Subscribed | undefined;
  held: ChannelEvent[] | undefined; // what came before the answer that it follows, as it may over HTTP
  byServer = false;
  retry: ReturnType<typeof setTimeout> | undefined;
  attempt = 0;

  constructor(name: string, options: ChannelOptions) {
    this.name = name;
    this.options = options;
  }

  /** Where to catch up from. */
  get since(): Position | undefined {
    return this.position ?? (this.last ? undefined : this.options.since);
  }
}

/**
 * What the session is in, and up to where it has seen each. Publications are told in order and once; what was missed
 * is told before anything newer, or else there is a Gap.
 */
export class Channels {
  readonly #entries = new Map<string, Entry>();
  readonly #leaving = new Map<string, number>(); // unsubscribes without an answer
  readonly #connection: () => Connection;
  readonly #unfollowed: (push: Push | Gap) => void;

  /** `unfollowed` is told what comes in channels that nobody here follows. */
  constructor(connection: () => Connection, unfollowed: (push: Push | Gap) => void) {
    this.#connection = connection;
    this.#unfollowed = unfollowed;
  }

  // --- followers -----------------------------------------------------------------------------------------

  /** Follow a channel, with the options of whoever came first. Call the answer to leave. */
  follow(name: string, options: ChannelOptions, follower: Follower): () => void {
    let entry = this.#entries.get(name);
    if (!entry || (entry.byServer && entry.followers.size === 0 && entry.phase !== "in")) {
      clearTimeout(entry?.retry);
      entry = new Entry(name, options);
      this.#entries.set(name, entry);
    }
    const { phase, last, followers } = entry;
    followers.set(follower, undefined);
    if (phase === "in" && last) {
      // Told in a moment, when the caller has what `follow` answers; what comes until then waits.
      followers.set(follower, []);
      const now: Subscribed = {
        ...last,
        ...(entry.position && { position: entry.position }),
        recovered: false,
      };
      queueMicrotask(() => this.#late(followers, follower, now));
    } else if (phase === "out" && !entry.retry && this.#connection().up) {
      this.#enter(entry);
    }
    const joined = entry;
    return () => {
      if (!joined.followers.delete(follower) || joined.followers.size > 0) return;
      // Not at once: whoever leaves and enters in one breath, as React does, stays.
      setTimeout(() => joined.followers.size === 0 && this.#leave(joined), 0);
    };
  }

  #late(followers: Entry["followers"], follower: Follower, subscribed: Subscribed): void {
    if (!followers.has(follower)) return;
    follower.tell(subscribed);
    for (let next = followers.get(follower)?.shift(); next; next = followers.get(follower)?.shift()) {
      follower.tell(next);
    }
    if (followers.has(follower)) followers.set(follower, undefined);
  }

  #tell(entry: Entry, event: ChannelEvent): void {
    for (const follower of [...entry.followers.keys()]) {
      if (!entry.followers.has(follower)) continue; // another one has removed it just now
      const waiting = entry.followers.get(follower);
      if (waiting) waiting.push(event);
      else follower.tell(event);
    }
  }

  #leave(entry: Entry): void {
    if (this.#entries.get(entry.name) !== entry || (entry.byServer && entry.phase === "in")) return;
    this.#entries.delete(entry.name);
    clearTimeout(entry.retry);
    if (entry.phase === "in" || entry.phase === "entering") this.#unsubscribe(entry.name);
    else this.#count(entry.name, 1); // the session may be in it when it is resumed
  }

  #unsubscribe(name: string): void {
    if (!this.#connection().up) return;
    this.#count(name, 1);
    const done = (answer: Reply | HubbubError) => void (isLost(answer) || this.#count(name, -1));
    this.#connection().requests.send({ type: "unsubscribe", channel: name }, false, done, true);
  }

  #count(name: string, by: number): void {
    const count = (this.#leaving.get(name) ?? 0) + by;
    if (count > 0) this.#leaving.set(name, count);
    else this.#leaving.delete(name);
  }

  // --- the connection ------------------------------------------------------------------------------------

  positions(): Record<string, Position> {
    const positions: Record<string, Position> = {};
    for (const entry of this.#entries.values()) {
      const since = exact(entry.since);
      if (since) positions[entry.name] = since;
    }
    return positions;
  }

  connected(reply: Connected): void {
    const leaving = new Set(this.#leaving.keys());
    this.#leaving.clear();
    for (const each of reply.subscriptions ?? []) {
      const entry = this.#entries.get(each.channel);
      if (entry) this.#entered(entry, each);
      else if (leaving.has(each.channel)) this.#unsubscribe(each.channel);
      else this.#byServer(each);
    }
    for (const entry of [...this.#entries.values()]) {
      if (entry.phase === "in" || entry.phase === "entering") continue;
      const left = reply.resumed && entry.phase === "away"; // meanwhile, and the server did it
      if (left) this.#end(entry, CODE.notSubscribed, "unsubscribed by the server");
      else if (!entry.byServer || entry.followers.size > 0) this.#enter(entry);
      else entry.phase = "out"; // the server may put us there again, and then we know where we were
    }
  }

  lost(): void {
    for (const entry of this.#entries.values()) {
      clearTimeout(entry.retry);
      entry.retry = undefined;
      entry.held = undefined;
      entry.phase = entry.phase === "in" || entry.phase === "away" ? "away" : "out";
    }
  }

  /** Nobody will be told anything any more, but by subscriptions of callbacks if there is another session some day. */
  ended(error: HubbubError | undefined): void {
    this.#leaving.clear();
    for (const entry of [...this.#entries.values()]) {
      entry.phase = "out";
      for (const follower of [...entry.followers.keys()]) follower.end(error);
      if (entry.followers.size === 0) this.#entries.delete(entry.name);
    }
  }

  push(push: Push): void {
    if (!("channel" in push)) return; // of a later version
    const entry = this.#entries.get(push.channel);
    switch (push.type) {
      case "publication":
        if (entry) this.#publication(entry, push);
        else this.#unfollowed(push);
        break;
      case "join":
      case "leave":
        if (entry?.held) entry.held.push(push);
        else if (entry && entry.followers.size > 0) this.#tell(entry, push);
        else this.#unfollowed(push);
        break;
      case "subscribed":
        this.#byServer(push);
        break;
      case "unsubscribed":
        if (entry) this.#end(entry, push.code, push.reason ?? "");
        else this.#unfollowed(push);
    }
  }

  // --- entering ------------------------------------------------------------------------------------------

  async #enter(entry: Entry): Promise<void> {
    clearTimeout(entry.retry);
    entry.retry = undefined;
    entry.phase = "entering";
    entry.held = [];
    const { token, presence } = entry.options;
    let proof: string | undefined;
    if (typeof token === "function") {
      const { held } = entry; // another one after a drop
      try {
        proof = await token();
      } catch (error) {
        if (entry.held === held) this.#later(entry, delay(++entry.attempt), error);
        return;
      }
      if (entry.held !== held || this.#entries.get(entry.name) !== entry) return;
    } else {
      proof = token;
    }
    this.#connection().requests.send(
      { type: "subscribe", channel: entry.name, token: proof, since: exact(entry.since), presence },
      false,
      (answer) => this.#entries.get(entry.name) === entry && this.#answered(entry, answer),
      true,
    );
  }

  #answered(entry: Entry, answer: Reply | HubbubError): void {
    if (isLost(answer)) return; // `lost` has seen to it
    if (!(answer instanceof HubbubError) && answer.type === "subscribed") return this.#entered(entry, answer);
    const error = answer instanceof HubbubError ? answer : HubbubError.from(answer as ErrorReply);
    if (error.code === CODE.alreadySubscribed) {
      // By the server, meanwhile. Only a `subscribe` of our own tells what we missed before that.
      if (entry.phase === "in") return;
      this.#unsubscribe(entry.name);
      this.#enter(entry);
    } else if (error.temporary) {
      this.#later(entry, error.retryAfter ? error.retryAfter * 1000 + delay(1) : delay(++entry.attempt));
    } else {
      this.#end(entry, error.code, error.message, error);
    }
  }

  #later(entry: Entry, wait: number, error?: unknown): void {
    if (error instanceof HubbubError && !error.temporary) {
      return this.#end(entry, error.code, error.message, error);
    }
    entry.phase = "out";
    entry.held = undefined;
    entry.retry = setTimeout(() => {
      entry.retry = undefined;
      if (this.#connection().up && entry.phase === "out") this.#enter(entry);
    }, wait);
  }

  /** In the channel: say whether anything is missing, tell what was missed, and go on from the reply's position. */
  #entered(entry: Entry, reply: WireSubscribed): void {
    const { name, since, held } = entry;
    const { recoverable = false, recovered = false, publications = [] } = reply;
    entry.phase = "in";
    entry.attempt = 0;
    entry.held = undefined;
    entry.position = since;
    const position = reply.position;
    const info: Subscribed = {
      type: "subscribed",
      channel: name,
      recoverable,
      recovered,
      ...(position && { position }),
    };
    entry.last = info;
    if (entry.byServer && entry.followers.size === 0) {
      if (since && !recovered) this.#gap(entry, since, position);
    } else {
      this.#tell(entry, info);
      if (since && recovered) {
        const count = publications.filter((each) => !seen(since, each)).length;
        this.#tell(entry, { type: "recovered", channel: name, count });
      } else if (since) {
        this.#gap(entry, since, position);
      }
    }
    if (recovered) for (const each of publications) this.#publication(entry, each);
    entry.position = position;
    for (const each of held ?? []) {
      if (each.type === "publication") this.#publication(entry, each as Publication);
      else this.#tell(entry, each);
    }
  }

  /** The server has put the session into a channel. */
  #byServer(push: ServerSubscribed): void {
    let entry = this.#entries.get(push.channel);
    if (!entry) {
      entry = new Entry(push.channel, {});
      entry.byServer = true;
      this.#entries.set(push.channel, entry);
    }
    const { position: since, followers } = entry;
    const { position, channel, recoverable = false } = push;
    const known = since && position && seen(since, position);
    if (followers.size > 0 && entry.phase !== "in") {
      if (!since || known) this.#entered(entry, { ...push, id: 0, recovered: Boolean(known) });
      if (known) entry.position = since;
      if (since && !known && entry.phase === "out") this.#enter(entry); // will be told what is missing
      return;
    }
    entry.phase = "in";
    entry.last = {
      type: "subscribed",
      channel,
      recoverable,
      recovered: false,
      ...(position && { position }),
    };
    if (followers.size === 0) this.#unfollowed(push);
    if (since && !known) this.#gap(entry, since, position);
    entry.position = known ? since : position;
  }

  #gap(entry: Entry, since: Position, position: Position | undefined): void {
    const gap: Gap = { type: "gap", channel: entry.name, since, ...(position && { position }) };
    if (entry.followers.size > 0) this.#tell(entry, gap);
    else this.#unfollowed(gap);
  }

  #publication(entry: Entry, publication: Publication): void {
    if (entry.held) {
      entry.held.push(publication as ChannelEvent);
      return;
    }
    const { epoch, offset } = publication;
    const { position } = entry;
    if (offset !== undefined && epoch !== undefined) {
      if (position && seen(position, publication)) return;
      // Before it is told: whoever is told may leave, or ask where we are.
      entry.position = { epoch, offset };
      if (position && position.epoch !== epoch) this.#gap(entry, position, { epoch, offset: offset - 1 });
    }
    if (entry.followers.size > 0) this.#tell(entry, publication as ChannelEvent);
    else this.#unfollowed(publication);
  }

  #end(entry: Entry, code: number, reason: string, error?: HubbubError): void {
    clearTimeout(entry.retry);
    this.#entries.delete(entry.name);
    const push = { type: "unsubscribed", channel: entry.name, code, reason } as const;
    if (entry.followers.size === 0) this.#unfollowed(push);
    this.#tell(entry, push);
    const why =
      error ??
      new HubbubError({ code, name: "unsubscribed", message: reason || "unsubscribed by the server" });
    for (const follower of [...entry.followers.keys()]) follower.end(why);
    entry.followers.clear();
  }
}

const isLost = (answer: Reply | HubbubError): boolean => answer instanceof HubbubError && answer.code >= 1000;

/** Whether what is at `place` is not after `position`. Beyond 2^53 order cannot be told, so nothing is dropped there. */
const seen = (position: Position, { epoch, offset }: { epoch?: string; offset?: number }): boolean =>
  epoch === position.epoch &&
  offset !== undefined &&
  offset <= position.offset &&
  Number.isSafeInteger(offset);

const exact = (position: Position | undefined): Position | undefined =>
  position && Number.isSafeInteger(position.offset) ? position : undefined;
