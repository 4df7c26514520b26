/** The network between the SDK and the server: it can be watched, taken away, and closed to WebSockets. */

import type { WebSocketConstructor, WebSocketLike } from "hubbub";

/** Told of each frame as it goes over the wire. `http` is the request that carries it: "POST /v1/sessions". */
export type Watch = (direction: "out" | "in", text: string, http?: string) => void;

const LOST = 1006;
const LEAVE = 4000; // ends no session

/** `reason` for what does not get through. */
export const DROPPED = "the network was dropped";

export class Network {
  /** For the SDK's options. */
  readonly WebSocket: WebSocketConstructor;
  readonly fetch: typeof fetch;

  /** Whether WebSockets get through: some proxies let only requests. */
  webSockets = true;
  readonly #watch: Watch;
  readonly #sockets = new Set<Watched>();
  #requests = new AbortController();
  #down = false;

  constructor(watch: Watch) {
    this.#watch = watch;
    const network = this;
    const sockets = this.#sockets;
    this.WebSocket = class extends Watched {
      constructor(url: string, protocols?: string | string[]) {
        super(watch, network.#down || !network.webSockets ? undefined : new WebSocket(url, protocols));
        sockets.add(this);
      }

      override over(): void {
        sockets.delete(this);
      }
    };
    this.fetch = (input, init) => this.#fetch(input, init);
  }

  get down(): boolean {
    return this.#down;
  }

  /** Nothing gets through any more, and nobody is told good-bye. */
  drop(): void {
    this.#down = true;
    this.#requests.abort(new TypeError(DROPPED));
    for (const socket of [...this.#sockets]) socket.cut();
  }

  restore(): void {
    this.#down = false;
    this.#requests = new AbortController();
  }

  async #fetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    if (this.#down) throw new TypeError(DROPPED);
    const url = new URL(String(input), location.href);
    const http = `${init.method ?? "GET"} ${url.pathname}`;
    if (typeof init.body === "string")
      for (const line of init.body.split("\n")) this.#watch("out", line, http);
    const signals = [this.#requests.signal, ...(init.signal ? [init.signal] : [])];
    const response = await fetch(input, { ...init, signal: AbortSignal.any(signals) });
    void this.#read(response.clone(), http);
    return response;
  }

  /** Tell what a response says, line by line, while the SDK reads its own copy. */
  async #read(response: Response, http: string): Promise<void> {
    const events = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    const tell = (line: string) => {
      const text = events ? (/^data: (.*)/.exec(line)?.[1] ?? "") : line;
      if (text !== "") this.#watch("in", text, http);
    };
    try {
      for (;;) {
        const { value, done } = (await reader?.read()) ?? { value: undefined, done: true };
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) tell(line);
      }
      tell(rest);
    } catch {
      // It was cut or left: the SDK sees it, too.
    }
  }
}

/** A WebSocket that tells what goes through it; one that never opens, if there is no `socket`. */
class Watched implements WebSocketLike {
  onopen: WebSocketLike["onopen"] = null;
  onmessage: WebSocketLike["onmessage"] = null;
  onclose: WebSocketLike["onclose"] = null;
  onerror: WebSocketLike["onerror"] = null;
  readonly #watch: Watch;
  readonly #socket: WebSocket | undefined;

  constructor(watch: Watch, socket: WebSocket | undefined) {
    this.#watch = watch;
    this.#socket = socket;
    if (socket === undefined) {
      setTimeout(() => this.#closed(LOST, DROPPED));
      return;
    }
    socket.onopen = () => (this.onopen as (() => void) | null)?.();
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === "string") for (const line of data.split("\n")) if (line !== "") watch("in", line);
      (this.onmessage as ((event: { data: unknown }) => void) | null)?.({ data });
    };
    socket.onerror = () => (this.onerror as (() => void) | null)?.();
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
  }

  /** Called when it is over; for who keeps a list of them. */
  over(): void {}

  send(data: string): void {
    for (const line of data.split("\n")) this.#watch("out", line);
    this.#socket?.send(data);
  }

  close(code?: number, reason?: string): void {
    this.over();
    this.#socket?.close(code, reason);
  }

  /** As if the cable were pulled. */
  cut(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close(LEAVE);
    this.#closed(LOST, DROPPED);
  }

  #closed(code: number, reason: string): void {
    this.over();
    (this.onclose as ((event: { code: number; reason: string }) => void) | null)?.({ code, reason });
  }
}
