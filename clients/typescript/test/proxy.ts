/** A TCP proxy before a server, that treats what passes as bad networks and strict offices do. */

import { createServer, connect as dial, type Server as NetServer, type Socket } from "node:net";

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

export class FaultProxy {
  port = 0;
  /** Connections whose request matches are closed at once, as by a firewall. */
  refuse: ((head: string) => boolean) | undefined;
  /** Answers to requests that match are swallowed: nothing comes, and nothing closes. */
  swallow: ((head: string) => boolean) | undefined;
  /** Nothing passes either way, and nothing closes. */
  hole = false;
  /** Called with what goes to the server; answers whether to cut the connection instead of passing it on. */
  cutBefore: ((text: string) => boolean) | undefined;
  /** The same for what comes from it: it has been done, and its answer is lost. */
  cutAfter: ((text: string) => boolean) | undefined;
  /** Requests by their first line, of all connections so far. */
  readonly requests: string[] = [];
  readonly #target: () => number;
  readonly #pairs = new Set<Pair>();
  readonly #server: NetServer;

  private constructor(target: () => number) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  static async start(target: { port: number }): Promise<FaultProxy> {
    const proxy = new FaultProxy(() => target.port);
    await new Promise<void>((done) => proxy.#server.listen(0, "127.0.0.1", done));
    proxy.port = (proxy.#server.address() as { port: number }).port;
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Reset all connections. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((done) => this.#server.close(done));
  }

  #accept(client: Socket): void {
    const server = dial(this.#target(), "127.0.0.1");
    const pair = { client, server };
    this.#pairs.add(pair);
    let silent = false;
    const end = () => {
      client.destroy();
      server.destroy();
      this.#pairs.delete(pair);
    };
    for (const socket of [client, server]) socket.on("error", end).on("close", end);
    client.on("data", (data) => {
      if (this.hole) return;
      const text = data.toString("latin1");
      if (/^(GET|POST|DELETE|OPTIONS) \S+ HTTP/.test(text)) {
        this.requests.push(text.slice(0, text.indexOf(" HTTP")));
        if (this.refuse?.(text)) return void client.resetAndDestroy();
        silent = this.swallow?.(text) ?? false;
      }
      if (this.cutBefore?.(unmasked(data))) return void client.resetAndDestroy();
      server.write(data);
    });
    server.on("data", (data) => {
      if (this.hole || silent) return;
      if (this.cutAfter?.(data.toString("latin1"))) return void client.resetAndDestroy();
      client.write(data);
    });
  }
}

/** The text of one small frame of a WebSocket's client (RFC 6455, section 5.3), or what else it is. */
function unmasked(data: Buffer): string {
  if (data[0] !== 0x81) return data.toString("latin1");
  const long = (data[1] ?? 0) & 0x7f;
  const start = long === 126 ? 4 : long === 127 ? 10 : 2;
  const mask = data.subarray(start, start + 4);
  return Buffer.from(data.subarray(start + 4).map((byte, at) => byte ^ (mask[at % 4] ?? 0))).toString();
}

export const isWebSocket = (head: string): boolean => /upgrade: websocket/i.test(head);
export const isEventStream = (head: string): boolean => /accept: text\/event-stream/i.test(head);
