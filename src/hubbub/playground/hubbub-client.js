// A small, whole client of the Hubbub native protocol (v1). Copy it, read it, change it.
//
// What it promises to the code above it:
//   - it reconnects by itself, with back-off and jitter, and resumes its session when it can;
//   - publications of a channel arrive in order and once: what has been seen is known by its offset;
//   - what was missed is delivered before anything newer, or else `gap` is called: it never pretends;
//   - a publish is repeated with the same key until the server has answered, so it happens once.

import { webSocket } from "./hubbub-transports.js";

const BACKOFF_BASE = 250; // milliseconds
const BACKOFF_LIMIT = 8_000;
const SESSION_GONE = 119;
const CLOSED_BY_CLIENT = 1000; // ends the session; every other close code leaves it to be resumed
const LINK_LOST = 4000; // 4000-4999 are an application's own

/** Whether the server closed with a code that says: not again like this. */
const isFinal = (code) => (code >= 3500 && code < 4000) || [1002, 1003, 1007, 1009].includes(code);

/** The server's refusal of one command. `code` and `name` are from its table of errors. */
export class CommandError extends Error {
  constructor({ code, name, message, temporary = false }) {
    super(message);
    Object.assign(this, { code, name, temporary });
  }
}

/**
 * One session with a Hubbub server.
 *
 * States, told by `onState(state, detail)`:
 *   idle        not started, or stopped
 *   connecting  opening a new session
 *   resuming    coming back to the session that was lost
 *   live        connected; what was missed has been delivered
 *   offline     the link is down; trying again in `detail.retryIn` milliseconds
 *   dropped     down because `drop()` asked for it
 *   ended       the server says: do not come back before something has changed (`detail.reason`)
 */
export class HubbubClient {
  #base;
  #token;
  #transport;
  #onState;
  #onFrame;

  #state = "idle";
  #link = null;
  #session = null; // { id, secret } once connected
  #subscriptions = new Map(); // by channel: { channel, handler, entered, position, held }
  #waiting = new Map(); // commands without a reply, by id: { command, resolve, reject }
  #lastId = 0;
  #attempts = 0; // failed ones in a row
  #turn = 0; // grows with every connect or drop, so that late answers of an earlier one are known
  #timer = null; // of the next attempt
  #heartbeat = null;
  #heardAt = 0;
  #refusal = null; // the `disconnect` push that came before the close

  /**
   * @param {object} options
   * @param {string} options.base URL of the server, ending in "/"
   * @param {() => Promise<string>} options.token fetches a token; asked for every new session
   * @param {Function} [options.transport] one of hubbub-transports.js
   * @param {(state: string, detail: object) => void} [options.onState]
   * @param {(frame: {direction: "in"|"out", object: object, bytes: number}) => void} [options.onFrame]
   */
  constructor({ base, token, transport = webSocket, onState = () => {}, onFrame = () => {} }) {
    this.#base = base;
    this.#token = token;
    this.#transport = transport;
    this.#onState = onState;
    this.#onFrame = onFrame;
  }

  get state() {
    return this.#state;
  }

  // --- what an application calls ------------------------------------------------------------------------

  start() {
    if (this.#state === "idle" || this.#state === "ended") this.#connect();
  }

  /** Leave for good: the session ends at once. */
  stop() {
    this.#close(CLOSED_BY_CLIENT);
    this.#end("stopped");
    this.#enter("idle");
  }

  /** Lose the network: no goodbye to the session, and no way back before `restore()`. */
  drop() {
    this.#close(LINK_LOST);
    this.#enter("dropped");
  }

  restore() {
    if (this.#state === "dropped") this.#connect();
  }

  /** Go on with the same session over another transport. */
  use(transport) {
    this.#transport = transport;
    if (this.#state === "dropped" || this.#state === "idle") return;
    this.#close(LINK_LOST);
    this.#connect();
  }

  /**
   * Follow a channel. `handler` may have:
   *   subscribed({ position, recoverable })  in the channel, for the first time
   *   publication(publication)               something new, in order
   *   recovered(publications)                back; these were missed meanwhile (perhaps none)
   *   gap({ reason })                        back; something was missed that cannot be had any more
   *   join(member), leave(member)            presence
   *   refused(error), unsubscribed(push)     not in the channel (any more)
   */
  subscribe(channel, handler) {
    const subscription = { channel, handler, entered: false, position: null, held: null };
    this.#subscriptions.set(channel, subscription);
    if (this.#state === "live") this.#subscribe(subscription);
  }

  unsubscribe(channel) {
    if (this.#subscriptions.delete(channel) && this.#state === "live") {
      this.command({ type: "unsubscribe", channel }).catch(() => {});
    }
  }

  /** Publish; resolves with the `published` reply. Waits for the link if it is down. */
  publish(channel, data, event = "message") {
    return this.command({ type: "publish", channel, event, data, key: randomKey() });
  }

  /** Send any command; resolves with its reply, rejects with a CommandError or when the link is lost. */
  command(command) {
    return new Promise((resolve, reject) => this.#request(command, resolve, reject));
  }

  // --- the link: open, lose, come back -------------------------------------------------------------------

  async #connect() {
    clearTimeout(this.#timer);
    const turn = ++this.#turn;
    const connect = { type: "connect", id: ++this.#lastId };
    this.#enter(this.#session ? "resuming" : "connecting");
    if (this.#session) {
      connect.resume = {
        session: this.#session.id,
        secret: this.#session.secret,
        positions: Object.fromEntries(
          [...this.#subscriptions.values()].filter((s) => s.position).map((s) => [s.channel, s.position]),
        ),
      };
    } else {
      try {
        connect.token = await this.#token();
      } catch (error) {
        if (turn === this.#turn) this.#lost({ reason: error.message });
        return;
      }
      if (turn !== this.#turn) return; // dropped, stopped or started again while we waited
    }
    this.#waiting.set(connect.id, {
      command: connect,
      resolve: (reply) => this.#connected(reply),
      reject: (error) => this.#refused(error),
    });
    this.#link = this.#transport({
      base: this.#base,
      connect,
      receive: (text) => turn === this.#turn && this.#receive(text),
      closed: (reason) => turn === this.#turn && this.#lost(reason),
    });
    this.#tap("out", connect, JSON.stringify(connect));
  }

  #connected(reply) {
    this.#session = { id: reply.session, secret: reply.secret };
    this.#attempts = 0;
    this.#beat(reply.ping_interval * 1000, reply.ping_timeout * 1000);
    const unanswered = [...this.#waiting.values()].filter(({ command }) => command.type === "publish");
    this.#enter("live", { version: reply.version });
    const there = new Set();
    for (const subscribed of reply.subscriptions ?? []) {
      const subscription = this.#subscriptions.get(subscribed.channel);
      if (subscription) this.#subscribed(subscription, subscribed);
      else this.command({ type: "unsubscribe", channel: subscribed.channel }).catch(() => {});
      there.add(subscribed.channel);
    }
    for (const subscription of this.#subscriptions.values()) {
      if (!there.has(subscription.channel)) this.#subscribe(subscription);
    }
    for (const { command } of unanswered) this.#send(command);
  }

  /** The server refuses `connect`. A session that is gone is replaced by a new one at once. */
  #refused(error) {
    this.#close(LINK_LOST);
    if (error.code === SESSION_GONE) {
      this.#session = null;
      this.#connect();
    } else if (error.temporary) {
      this.#lost({ reason: error.message });
    } else {
      this.#end(error.message);
      this.#enter("ended", { reason: error.message });
    }
  }

  #lost({ code, reason }) {
    const refusal = this.#refusal;
    this.#close();
    if (refusal ? !refusal.reconnect : isFinal(code)) {
      const why = refusal?.reason || reason || `closed with ${code}`;
      this.#end(why);
      this.#enter("ended", { reason: why });
      return;
    }
    // Full jitter: a thousand clients that lost one server do not come back as one wave.
    const retryIn = Math.random() * Math.min(BACKOFF_LIMIT, BACKOFF_BASE * 2 ** ++this.#attempts);
    this.#timer = setTimeout(() => this.#connect(), retryIn);
    this.#enter("offline", { reason, retryIn });
  }

  /** Take the link down, and everything that hangs on it. Publishes stay, to be repeated. */
  #close(code) {
    this.#turn++;
    clearTimeout(this.#timer);
    clearInterval(this.#heartbeat);
    this.#link?.close(code);
    this.#link = null;
    this.#refusal = null;
    for (const subscription of this.#subscriptions.values()) subscription.held = null;
    for (const [id, { command, reject }] of this.#waiting) {
      if (command.type === "publish") continue;
      this.#waiting.delete(id);
      if (command.type !== "connect") reject(new Error("connection lost"));
    }
  }

  /** The session is no more, and nothing will be tried again. */
  #end(reason) {
    this.#session = null;
    for (const { reject } of this.#waiting.values()) reject(new Error(reason));
    this.#waiting.clear();
  }

  /** A browser does not show WebSocket pings to scripts: when it is quiet, ask; when nothing comes, leave. */
  #beat(interval, timeout) {
    clearInterval(this.#heartbeat);
    if (!interval) return;
    let askedAt = 0;
    this.#heartbeat = setInterval(() => {
      if (this.#heardAt < askedAt) {
        this.#lost({ reason: "no answer" });
      } else if (Date.now() - this.#heardAt >= interval) {
        askedAt = Date.now();
        this.command({ type: "ping" }).catch(() => {});
      }
    }, timeout);
  }

  #enter(state, detail = {}) {
    this.#state = state;
    this.#onState(state, detail);
  }

  // --- commands and what comes back ----------------------------------------------------------------------

  #request(command, resolve, reject) {
    const whole = { ...command, id: ++this.#lastId };
    if (this.#state !== "live" && whole.type !== "publish") return reject(new Error("not connected"));
    this.#waiting.set(whole.id, { command: whole, resolve, reject });
    if (this.#state === "live") this.#send(whole);
  }

  #send(command) {
    const text = JSON.stringify(command);
    this.#tap("out", command, text);
    this.#link.send(text);
  }

  #receive(text) {
    this.#heardAt = Date.now();
    const turn = this.#turn;
    for (const line of text.split("\n")) {
      if (!line || turn !== this.#turn) continue;
      const object = JSON.parse(line);
      this.#tap("in", object, line);
      this.#handle(object);
    }
  }

  #handle(object) {
    const waiting = this.#waiting.get(object.id);
    if (waiting) {
      this.#waiting.delete(object.id);
      if (object.type === "error") waiting.reject(new CommandError(object));
      else waiting.resolve(object);
      return;
    }
    const subscription = this.#subscriptions.get(object.channel);
    switch (object.type) {
      case "publication":
        if (subscription) this.#publication(subscription, object);
        break;
      case "join":
      case "leave":
        subscription?.handler[object.type]?.(object.member);
        break;
      case "unsubscribed":
        this.#subscriptions.delete(object.channel);
        subscription?.handler.unsubscribed?.(object);
        break;
      case "advice": {
        // The node is about to stop: leave before it does, at a moment of our own.
        const wait = (object.reconnect_after + Math.random() * object.spread) * 1000;
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.use(this.#transport), wait);
        break;
      }
      case "disconnect":
        this.#refusal = object;
        break;
    }
  }

  #tap(direction, object, text) {
    this.#onFrame({ direction, object, bytes: new TextEncoder().encode(text).length });
  }

  // --- channels: positions, recovery, gaps ---------------------------------------------------------------

  #subscribe(subscription) {
    const command = { type: "subscribe", channel: subscription.channel };
    subscription.held = []; // over HTTP a publication may overtake the reply
    if (subscription.position) command.since = subscription.position;
    this.#request(
      command,
      (reply) => this.#subscribed(subscription, reply),
      (error) => {
        subscription.held = null;
        if (error instanceof CommandError) subscription.handler.refused?.(error);
      },
    );
  }

  /** In the channel, for the first time or again. `position` says up to where we have seen it. */
  #subscribed(subscription, { position = null, recoverable = false, recovered = false, publications = [] }) {
    const { position: since, handler, held } = subscription;
    const returning = subscription.entered;
    subscription.entered = true;
    subscription.position = position;
    subscription.held = null;
    if (!returning) handler.subscribed?.({ position, recoverable });
    else if (recovered) handler.recovered?.(publications.filter((each) => each.offset > since.offset));
    else if (!recoverable) handler.gap?.({ reason: "this channel keeps no log" });
    else if (since?.epoch !== position.epoch) handler.gap?.({ reason: "the channel's log began anew" });
    else handler.gap?.({ reason: "the log no longer reaches back that far" });
    for (const publication of held ?? []) this.#publication(subscription, publication);
  }

  #publication(subscription, publication) {
    const { position, handler, held } = subscription;
    const { epoch, offset } = publication;
    if (held) {
      held.push(publication);
      return;
    }
    if (offset !== undefined && position) {
      if (epoch !== position.epoch) handler.gap?.({ reason: "the channel's log began anew" });
      else if (offset <= position.offset) return; // seen before
      else if (offset > position.offset + 1) return this.#heal(subscription, publication);
    }
    if (offset !== undefined) subscription.position = { epoch, offset };
    handler.publication?.(publication);
  }

  /** Offsets are gapless, so something is missing: hold back what is newer and read the log. */
  #heal(subscription, publication) {
    const held = (subscription.held = [publication]);
    const release = ({ publications, complete, more }) => {
      subscription.held = null;
      if (!complete) subscription.handler.gap?.({ reason: "the log no longer reaches back that far" });
      const skipTo = ({ epoch, offset }) => (subscription.position = { epoch, offset: offset - 1 });
      if (!complete && publications.length) skipTo(publications[0]);
      for (const each of publications) this.#publication(subscription, each);
      if (!more && subscription.position.offset < held[0].offset) skipTo(held[0]);
      for (const each of held) this.#publication(subscription, each);
    };
    this.#request(
      { type: "history", channel: subscription.channel, since: subscription.position, limit: 1000 },
      ({ result }) => release(result),
      (error) => error instanceof CommandError && release({ publications: [], complete: false }),
    );
  }
}

function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
