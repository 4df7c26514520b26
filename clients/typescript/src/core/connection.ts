import type { Command, Connect, Connected, Position, Push, Reply } from "../generated/protocol.js";
import { delay, FIRST } from "./chance.js";
import { CODE, type Ending, ended, ending, HubbubError, lost, text } from "./errors.js";
import { Heartbeat } from "./heartbeat.js";
import { isOffline, monotonic, watchHost } from "./host.js";
import { Requests } from "./requests.js";
import type { Tokens } from "./tokens.js";
import { LEAVE, type Link, type LinkEnd, TRANSPORTS } from "./transports.js";
import type { ConnectionState, HubbubOptions, TokenReason, TransportName } from "./types.js";
import { Cell } from "./view.js";

const STABLE = 1_000; // a connection that stood so long was a good one: the next attempt is a first one
const TRUSTED = 5_000; // and its token was one, too
const UPGRADE = { soon: 2_000, most: 600_000 }; // soon, where WebSockets have got through before
const REFRESH_GAP = 30_000;
const OFFLINE_RETRY = 20_000; // hosts may be wrong about the network
const SAMPLE = 600_000;
const LONGEST_TIMER = 2 ** 31 - 1;

/** A command without its id. */
export type Ask = Command extends infer C ? (C extends Command ? Omit<C, "id"> : never) : never;

/** Who uses the connection. All are called synchronously, in the order of what comes. */
export interface ConnectionUser {
  /** The last position seen of each channel. */
  positions(): Record<string, Position>;
  /** The session stands, resumed or new. Commands that are sent now go before all that waited. */
  connected(reply: Connected): void;
  /** The connection is gone, for now. */
  lost(): void;
  push(push: Push): void;
  /** A failure that nobody waits for. */
  report(error: unknown): void;
  /** The end: failed, or closed (undefined). */
  ended(error: HubbubError | undefined): void;
}

/** One session, over as many connections as it takes. */
export class Connection {
  readonly state = new Cell<ConnectionState>({ status: "idle" });
  readonly requests: Requests;

  readonly #base: string;
  readonly #options: HubbubOptions;
  readonly #tokens: Tokens;
  readonly #user: ConnectionUser;
  readonly #transports: readonly TransportName[];
  readonly #heart: Heartbeat;

  #link: Link | undefined;
  #turn = 0; // grows with every link, so that what an earlier one still says is known
  #up = false;
  #upAt = 0;
  #hello: Connect | undefined; // not answered yet
  #session: Connected | undefined;
  #at = 0; // in #transports
  #works = 0; // the transport that last worked
  readonly #proven = new Set<TransportName>(); // those that ever did
  #missed = 0; // handshakes of a proven one that failed in a row
  #attempt = 0; // failed ones in a row
  #since = 0; // when the first of them failed
  #was = false; // connected before
  #reason: TokenReason | undefined; // a new token is needed
  #renewed = false; // and was fetched, after which no connection was a good one yet
  #timer: ReturnType<typeof setTimeout> | undefined; // of the next attempt, or of the one being made
  #refresh: ReturnType<typeof setTimeout> | undefined;
  #move: ReturnType<typeof setTimeout> | undefined; // to a better connection
  #upgrade: number; // milliseconds until it is looked whether WebSockets get through by now
  #zero: number | undefined; // the server's clock when ours, which nobody sets, was at 0; seconds
  #sampledAt = 0; // when that was last learned anew
  #unwatch: (() => void) | undefined;
  #why: { readonly reason: string } | undefined; // we are not connected
  #waiting: { resolve: () => void; reject: (error: HubbubError) => void }[] = [];

  constructor(base: string, options: HubbubOptions, tokens: Tokens, user: ConnectionUser) {
    this.#base = base;
    this.#options = options;
    this.#tokens = tokens;
    this.#user = user;
    this.#upgrade = (options.upgradeAfter ?? 30) * 1000;
    const wanted = options.transports ?? (["websocket", "sse", "polling"] as const);
    this.#transports = wanted.filter((name) => name !== "websocket" || this.#WebSocket);
    if (this.#transports.length === 0)
      throw new TypeError("no transport: give options.WebSocket, or allow others");
    this.requests = new Requests((line) => this.#link?.send(line));
    this.#heart = new Heartbeat(this.requests, (reason) => this.#closed({ code: CODE.lost, reason }));
  }

  get #WebSocket(): HubbubOptions["WebSocket"] {
    return this.#options.WebSocket ?? (globalThis as Pick<HubbubOptions, "WebSocket">).WebSocket;
  }

  // --- what the application asks -------------------------------------------------------------------------

  /** Be connected. Rejects when that has failed for good, or we are closed. */
  connect(): Promise<void> {
    const { status } = this.state.get();
    if (status === "connected") return Promise.resolve();
    const promise = new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    if (!this.#unwatch) this.#begin();
    return promise;
  }

  /** Connect if nothing was done about it yet. */
  start(): void {
    if (this.state.get().status === "idle") this.#begin();
  }

  /** Try now, whatever the back-off; over `transport` from now on, if it is one of ours. */
  reconnect(transport?: TransportName): void {
    const at = this.#transports.indexOf(transport as TransportName);
    if (at >= 0) this.#at = this.#works = at;
    if (this.#up) this.#leave();
    else if (!this.#unwatch) this.#begin();
    else if (at >= 0 || !this.#link) this.#open();
  }

  /** End the session. */
  close(): void {
    if (this.state.get().status === "closed") return;
    this.#finish(undefined);
  }

  /** Send a command when the session stands; see Requests. */
  ask(command: Ask, options: { resend: boolean; signal?: AbortSignal | undefined }): Promise<Reply> {
    this.start();
    const state = this.state.get();
    if (state.status === "failed") return Promise.reject(state.error);
    if (state.status === "closed") return Promise.reject(ended(CODE.normal, "the client is closed"));
    return this.requests.ask(command, options);
  }

  get up(): boolean {
    return this.#up;
  }

  // --- opening -------------------------------------------------------------------------------------------

  #begin(): void {
    this.#attempt = 0;
    this.#was = this.#renewed = false;
    this.#why = undefined;
    if (this.state.get().status === "failed") this.#reason = "expired"; // what was refused will not do
    this.#unwatch ??= watchHost({
      wake: () => this.#wake(),
      offline: () => this.#up && this.#heart.probe(),
      leave: (back) => this.#pause(back),
    });
    this.#open();
  }

  async #open(): Promise<void> {
    const turn = this.#drop();
    const attempt = this.#attempt;
    if (!this.#was) this.state.set({ status: "connecting", attempt: attempt + 1, ...this.#why });
    else
      this.state.set({
        status: "recovering",
        attempt: attempt || 1,
        retryAt: Date.now(),
        reason: "",
        ...this.#why,
      });
    try {
      const hello = await this.#greeting();
      if (turn !== this.#turn) return;
      this.#dial(turn, hello);
    } catch (error) {
      if (turn === this.#turn) this.#tokenFailed(error);
    }
  }

  async #greeting(): Promise<Connect> {
    const client = this.#options.name ?? "hubbub-js";
    const id = this.requests.nextId();
    if (this.#session) {
      const { session, secret } = this.#session;
      return { type: "connect", id, resume: { session, secret, positions: this.#user.positions() }, client };
    }
    const reason = this.#reason;
    const token = await (reason ? this.#tokens.fresh(reason) : this.#tokens.current());
    this.#reason = undefined;
    return { type: "connect", id, token, client };
  }

  #tokenFailed(error: unknown): void {
    if (error instanceof HubbubError && !error.temporary) this.#finish(error);
    else this.#retry({ ...ending(CODE.lost, `no token: ${text(error)}`), again: true });
  }

  #dial(turn: number, hello: Connect): void {
    const name = this.#transports[this.#at] as TransportName;
    try {
      this.#link = TRANSPORTS[name]({
        base: this.#base,
        fetch: this.#options.fetch ?? ((...args) => globalThis.fetch(...args)),
        WebSocket: this.#WebSocket,
        receive: (body) => turn === this.#turn && this.#receive(turn, body),
        closed: (end) => turn === this.#turn && this.#closed(end),
      });
      this.#greet(hello);
    } catch (error) {
      this.#closed({ code: CODE.lost, reason: text(error), blocked: true });
    }
  }

  #greet(hello: Connect): void {
    this.#hello = hello;
    // Slow networks are given more time, attempt by attempt.
    const patience = (this.#options.connectTimeout ?? 5) * Math.min(1 + this.#attempt, 4);
    const late = { code: CODE.lost, reason: `no answer in ${patience} s`, blocked: true };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#closed(late), patience * 1000);
    this.#link?.hello(hello);
  }

  #answered(reply: Reply): void {
    if (reply.type === "connected") return this.#connected(reply);
    if (reply.type !== "error") return this.#garbage();
    if (reply.code === CODE.sessionGone && this.#session) {
      this.#session = undefined;
      clearTimeout(this.#timer);
      const turn = this.#turn;
      this.#greeting().then(
        (hello) => turn === this.#turn && this.#greet(hello),
        (error) => turn === this.#turn && this.#tokenFailed(error),
      );
      return;
    }
    const error = HubbubError.from(reply);
    if (error.temporary) this.#retry({ ...ending(CODE.lost, error.message), retryAfter: error.retryAfter });
    else if (error.code <= CODE.tokenExpired && error.code >= CODE.unauthenticated) this.#unwelcome(error);
    else this.#finish(error);
  }

  /** Our token is refused: another one may do, once. */
  #unwelcome(error: HubbubError): void {
    if (!this.#tokens.renewable || this.#renewed) return this.#finish(error);
    this.#renewed = true;
    this.#reason = "expired";
    this.#session = undefined;
    this.#open();
  }

  #connected(reply: Connected): void {
    clearTimeout(this.#timer);
    const resumed = reply.resumed ?? false;
    const transport = this.#transports[this.#at] as TransportName;
    this.#session = { ...reply, subscriptions: [] };
    this.#up = this.#was = true;
    this.#upAt = monotonic();
    this.#works = this.#at;
    this.#missed = 0;
    this.#proven.add(transport);
    this.#sample(reply.time, true);
    this.#heart.start(reply);
    this.state.set({ status: "connected", transport, session: reply.session, user: reply.user, resumed });
    this.#expires(reply.expires);
    if (transport !== "websocket" && this.#transports.includes("websocket")) this.#tryUpgrade();
    for (const each of this.#waiting.splice(0)) each.resolve();
    this.requests.stand(() => this.#user.connected(reply));
  }

  // --- losing, and coming back ---------------------------------------------------------------------------

  #closed({ code, reason, unreachable = false, blocked = false, retryAfter }: LinkEnd): void {
    const name = this.#transports[this.#at] as TransportName;
    // Something lets this transport not through: try the next, unless nothing answers. That a WebSocket broke which had
    // been open says nothing about WebSockets; a stream that breaks at once every time was never one.
    const brief = this.#up && name !== "websocket" && monotonic() - this.#upAt < STABLE && this.#attempt > 2;
    let next = blocked || !this.#up ? !unreachable : brief;
    next &&= code < 3000 && this.#at + 1 < this.#transports.length;
    if (next && !this.#up && this.#proven.has(name)) {
      // It has got through before, so that this may be the server's doing: once more, after a while.
      next = this.#missed++ > 0;
      if (next) this.#upgrade = Math.min(this.#upgrade, UPGRADE.soon);
    }
    if (next) {
      this.#at++;
      this.#why = { reason };
      this.#open();
      return;
    }
    // A server that is killed or restarted behind a proxy says 1000 or nothing; only we leave for good.
    this.#retry({ ...ending(code === CODE.normal ? CODE.lost : code, reason), retryAfter });
  }

  /** The connection is over: come back as `why` allows it. */
  #retry(why: Ending): void {
    const stood = this.#up ? monotonic() - this.#upAt : 0;
    if (stood >= STABLE) this.#attempt = 0;
    if (stood >= TRUSTED) this.#renewed = false;
    this.#drop();
    if (why.fresh) this.#session = undefined;
    if (why.code === CODE.expired) this.#reason = "expired";
    if (!why.again) {
      const error = ended(why.code, why.reason);
      if (why.code === CODE.authFailed) this.#unwelcome(error);
      else this.#finish(error);
      return;
    }
    this.#at = this.#works;
    if (this.#attempt++ === 0) this.#since = monotonic();
    const { reason } = why;
    this.#why = { reason };
    const pause = delay(this.#attempt, monotonic() - this.#since);
    let wait = why.retryAfter ? why.retryAfter * 1000 + delay(1) : pause;
    if (isOffline()) wait = OFFLINE_RETRY;
    const retryAt = Date.now() + wait;
    if (isOffline()) this.state.set({ status: "offline", reason });
    else if (this.#was) this.state.set({ status: "recovering", attempt: this.#attempt, retryAt, reason });
    else this.state.set({ status: "connecting", attempt: this.#attempt + 1, retryAt, reason });
    this.#timer = setTimeout(() => this.#open(), wait);
  }

  /** Take the link down, and all that hangs on it. The answer is the turn of the next one. */
  #drop(code: number = LEAVE): number {
    clearTimeout(this.#timer);
    clearTimeout(this.#refresh);
    clearTimeout(this.#move);
    this.#heart.stop();
    const link = this.#link;
    this.#link = this.#hello = undefined;
    const turn = ++this.#turn;
    link?.close(code);
    if (this.#up) {
      this.#up = false;
      this.requests.lost(lost("the connection was lost before the answer"));
      this.#user.lost();
    }
    return turn;
  }

  #finish(error: HubbubError | undefined): void {
    this.#drop(error ? LEAVE : CODE.normal);
    this.#unwatch?.();
    this.#unwatch = this.#session = undefined;
    this.state.set(error ? { status: "failed", error } : { status: "closed" });
    const reason = error ?? ended(CODE.normal, "the client is closed");
    this.requests.fail(reason);
    for (const each of this.#waiting.splice(0)) each.reject(reason);
    this.#user.ended(error);
  }

  // --- moving --------------------------------------------------------------------------------------------

  /** Leave this connection for another one of the same session. */
  #leave(): void {
    this.#attempt = 0;
    this.#why = { reason: "moving to another connection" };
    this.#open();
  }

  /** Do so in a moment when no answer would be lost by it. */
  #leaveIn(milliseconds: number, patience = 20): void {
    clearTimeout(this.#move);
    this.#move = setTimeout(() => {
      if (this.requests.fragile && patience > 0) this.#leaveIn(FIRST.most, patience - 1);
      else this.#leave();
    }, milliseconds);
  }

  /** Whether WebSockets get through by now is looked at with one that says nothing. */
  #tryUpgrade(): void {
    const turn = this.#turn;
    const WebSocket = this.#WebSocket;
    this.#move = setTimeout(() => {
      this.#upgrade = Math.min(this.#upgrade * 2, UPGRADE.most);
      if (!WebSocket) return;
      try {
        const probe = new WebSocket(`${this.#base.replace(/^http/, "ws")}/v1/ws`, "hubbub.v1.json");
        probe.onerror = () => {};
        probe.onclose = () => turn === this.#turn && this.#tryUpgrade();
        probe.onopen = () => {
          probe.onclose = null;
          probe.close(CODE.normal);
          if (turn !== this.#turn) return;
          this.#at = this.#works = this.#transports.indexOf("websocket");
          this.#leaveIn(0);
        };
      } catch {
        // Not allowed here, and never will be.
      }
    }, this.#upgrade);
  }

  #wake(): void {
    if (this.#up) this.#heart.probe();
    else if (!this.#link && this.#unwatch) this.#open();
  }

  /** The page goes away. One that may be shown again must have no connections; a session is not left hanging. */
  #pause(back: boolean): void {
    this.#why = { reason: "the page was left" };
    const up = this.#up;
    this.#drop(back ? LEAVE : CODE.normal);
    if (up) this.state.set({ status: "recovering", attempt: 1, retryAt: Date.now(), ...this.#why });
  }

  // --- the clock and tokens --------------------------------------------------------------------------------------------

  /** The server's clock, seconds since the epoch: by the device's until it is known, and from then on whatever becomes of
   * that. */
  time(): number {
    return this.#zero === undefined ? Date.now() / 1000 : this.#zero + monotonic() / 1000;
  }

  /** The server's clock by the time of what comes: the fastest way here tells best. No two clocks go alike for long. */
  #sample(time: number | undefined, anew: boolean): void {
    if (!time) return;
    const now = monotonic();
    const zero = time - now / 1000;
    if (anew || now - this.#sampledAt > SAMPLE) this.#sampledAt = now;
    else if (this.#zero !== undefined && zero <= this.#zero) return;
    this.#zero = zero;
  }

  /** Replace the token before the server's clock reads `expires`. */
  #expires(expires: number | null | undefined): void {
    if (expires == null || !this.#tokens.renewable) return;
    const left = (expires - this.time()) * 1000;
    // Of a token that is good for a few seconds, half: or one would be fetched after the other.
    const early = Math.min(60_000, Math.max(2_000, left / 10), left / 2);
    this.#renewIn(left > 0 ? left - early : REFRESH_GAP, left);
  }

  #renewIn(wait: number, left: number): void {
    clearTimeout(this.#refresh);
    this.#refresh = setTimeout(
      async () => {
        if (wait > LONGEST_TIMER) return this.#renewIn(wait - LONGEST_TIMER, left);
        const turn = this.#turn;
        try {
          const token = await this.#tokens.fresh("expiring");
          if (turn !== this.#turn || !token) return;
          const reply = await this.requests.ask({ type: "refresh", token }, { resend: false });
          if (reply.type === "result") this.#expires((reply.result as { expires?: number | null }).expires);
        } catch (error) {
          // At the latest the server says that it has expired.
          if (error instanceof HubbubError && !error.temporary) this.#user.report(error);
          else if (turn === this.#turn)
            this.#renewIn(Math.max(2_000, Math.min(left / 20, REFRESH_GAP)), left);
        }
      },
      Math.min(Math.max(wait, 0), LONGEST_TIMER),
    );
  }

  // --- what comes ----------------------------------------------------------------------------------------

  #receive(turn: number, body: string): void {
    this.#heart.heard();
    for (const line of body.split("\n")) {
      if (!line || turn !== this.#turn) continue;
      let item: Reply | Push;
      try {
        item = JSON.parse(line);
        if (typeof item.type !== "string") throw new TypeError();
      } catch {
        return this.#garbage();
      }
      this.#handle(item);
    }
  }

  #handle(item: Reply | Push): void {
    if ("id" in item && typeof item.id === "number") {
      if (item.id === this.#hello?.id) {
        this.#hello = undefined;
        this.#answered(item as Reply);
      } else {
        this.requests.answered(item as Reply);
      }
    } else if (item.type === "disconnect") {
      this.#retry(ending(item.code, item.reason, item));
    } else if (item.type === "advice") {
      // The node is about to go: leave before it does, at a moment of our own.
      this.#leaveIn((item.reconnect_after + Math.random() * item.spread) * 1000);
    } else {
      if (item.type === "publication") this.#sample(item.time, false);
      this.#user.push(item as Push);
    }
  }

  #garbage(): void {
    this.#closed({
      code: CODE.lost,
      reason: "what answers does not speak Hubbub's protocol",
      unreachable: true,
    });
  }
}
