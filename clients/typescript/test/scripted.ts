/** A server that says what a test wants said: WebSockets of no network, for faults that a real server does not have. */

import type { Command } from "../src/generated/protocol.js";
import type { WebSocketConstructor } from "../src/index.js";

type Handler = ((event: never) => void) | null;

/** One WebSocket, seen from the server. */
export class FakeSocket {
  onopen: Handler = null;
  onmessage: Handler = null;
  onclose: Handler = null;
  onerror: Handler = null;
  readonly url: string;
  readonly received: Command[] = [];
  /** With which code the client has closed it. */
  left: number | undefined;
  readonly #script: Script;

  constructor(script: Script, url: string) {
    this.url = url;
    this.#script = script;
  }

  send(data: string): void {
    for (const line of data.split("\n")) {
      const command = JSON.parse(line) as Command;
      this.received.push(command);
      this.#script.command(this, command);
    }
  }

  close(code = 1000): void {
    this.left = code;
  }

  /** Say objects, or raw text. */
  say(...items: unknown[]): void {
    const text = items.map((item) => (typeof item === "string" ? item : JSON.stringify(item))).join("\n");
    (this.onmessage as ((event: { data: unknown }) => void) | null)?.({ data: text });
  }

  /** End it from the server's side. */
  end(code = 1006, reason = ""): void {
    (this.onclose as ((event: { code: number; reason: string }) => void) | null)?.({ code, reason });
  }

  open(): void {
    (this.onopen as ((event: object) => void) | null)?.({});
  }

  /** The last command of a type. */
  last<T extends Command["type"]>(type: T): Command & { type: T } {
    const found = this.received.filter((each) => each.type === type).at(-1);
    if (!found) throw new Error(`no ${type} came, but ${this.received.map((each) => each.type)}`);
    return found as Command & { type: T };
  }
}

/** What the server does; replace what a test needs otherwise. */
export class Script {
  readonly sockets: FakeSocket[] = [];
  /** Whether new sockets open (else they are left hanging, or refused). */
  opens: "yes" | "never" | "refused" = "yes";
  hello: (socket: FakeSocket, command: Command & { type: "connect" }) => void = (socket, command) =>
    socket.say(connected(command));
  /** Every other command. */
  answer: (socket: FakeSocket, command: Command) => void = (socket, command) => {
    if (command.type === "subscribe")
      socket.say({ type: "subscribed", id: command.id, channel: command.channel });
    else if (command.type === "publish") socket.say({ type: "published", id: command.id });
    else socket.say({ type: "result", id: command.id, result: {} });
  };
  readonly WebSocket: WebSocketConstructor;

  constructor() {
    const script = this;
    this.WebSocket = class extends FakeSocket {
      constructor(url: string) {
        super(script, url);
        script.sockets.push(this);
        queueMicrotask(() => {
          if (script.opens === "yes") this.open();
          else if (script.opens === "refused") this.end(1006);
        });
      }
    };
  }

  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("nobody has come");
    return socket;
  }

  command(socket: FakeSocket, command: Command): void {
    queueMicrotask(() => {
      if (command.type === "connect") this.hello(socket, command);
      else this.answer(socket, command);
    });
  }
}

/** A `connected` for a `connect`. */
export function connected(command: Command & { type: "connect" }, more: object = {}): object {
  return {
    type: "connected",
    id: command.id,
    session: command.resume?.session ?? "s1",
    secret: "x",
    user: "ada",
    ping_interval: 6,
    ping_timeout: 3,
    resume_window: 60,
    ...(command.resume && { resumed: true, recovered: true }),
    ...more,
  };
}

export const publication = (
  channel: string,
  offset: number | undefined,
  data: unknown,
  epoch = "e",
): object => ({
  type: "publication",
  channel,
  event: "message",
  data,
  ...(offset !== undefined && { epoch, offset }),
});
