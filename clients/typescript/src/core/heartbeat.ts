import type { Connected } from "../generated/protocol.js";
import type { Requests } from "./requests.js";

const DEFAULT = { ping_interval: 25, ping_timeout: 10 }; // where the server does not ping
const PROBE = 2_000;
const SLOW_CALLS = 3; // times the patience, while a call is being handled: pings wait behind it

/**
 * Finds out that a connection is dead: after `ping_interval` of silence it asks, and then waits for `ping_timeout`.
 * Pages cannot see the WebSocket's own pings.
 */
export class Heartbeat {
  readonly #requests: Requests;
  readonly #dead: (reason: string) => void;
  #interval = 0;
  #timeout = 0;
  #heardAt = 0;
  #ticking: ReturnType<typeof setInterval> | undefined;
  #asked: ReturnType<typeof setTimeout> | undefined;

  constructor(requests: Requests, dead: (reason: string) => void) {
    this.#requests = requests;
    this.#dead = dead;
  }

  start({ ping_interval, ping_timeout }: Pick<Connected, "ping_interval" | "ping_timeout">): void {
    this.stop();
    this.#interval = (ping_interval || DEFAULT.ping_interval) * 1000;
    this.#timeout = (ping_timeout || DEFAULT.ping_timeout) * 1000;
    this.heard();
    this.#ticking = setInterval(() => {
      this.#requests.expire();
      if (Date.now() - this.#heardAt >= this.#interval) this.#ask(this.#timeout);
    }, this.#interval / 2);
  }

  stop(): void {
    clearInterval(this.#ticking);
    clearTimeout(this.#asked);
    this.#asked = undefined;
  }

  /** Anything came. */
  heard(): void {
    this.#heardAt = Date.now();
    if (this.#asked === undefined) return;
    clearTimeout(this.#asked);
    this.#asked = undefined;
  }

  /** There is a reason to doubt: ask now, and do not wait long. */
  probe(): void {
    clearTimeout(this.#asked);
    this.#asked = undefined;
    this.#ask(Math.min(PROBE, this.#timeout));
  }

  #ask(patience: number): void {
    if (this.#asked !== undefined) return;
    this.#requests.ask({ type: "ping" }, { resend: false }).catch(() => {});
    this.#asked = setTimeout(() => this.#late(patience), patience);
  }

  #late(patience: number): void {
    // A method may take its time. Those that may be sent again lose nothing if we are wrong about it.
    const more = this.#requests.fragile ? Number.POSITIVE_INFINITY : this.#requests.calling ? SLOW_CALLS : 1;
    const silence = Date.now() - this.#heardAt;
    if (silence >= patience * more)
      return this.#dead(`nothing was heard for ${Math.round(silence / 1000)} s`);
    this.#asked = setTimeout(() => this.#late(patience), patience);
  }
}
