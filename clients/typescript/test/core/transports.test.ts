import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { type ConnectionState, Hubbub, type HubbubOptions } from "../../src/index.js";
import { FaultProxy, isEventStream, isWebSocket } from "../proxy.js";
import { Server, until } from "../server.js";

let server: Server;
let proxy: FaultProxy;
let hubbub: Hubbub;

beforeAll(async () => {
  server = await Server.start({ settings: { "heartbeat.poll_timeout": 2 } });
});
afterAll(() => server.stop());
afterEach(async () => {
  vi.useRealTimers();
  await hubbub?.close();
  await proxy?.stop();
});

async function client(options: HubbubOptions = {}): Promise<FaultProxy> {
  proxy = await FaultProxy.start(server);
  hubbub = new Hubbub(proxy.url, { token: server.token("ada"), WebSocket, connectTimeout: 1, ...options });
  return proxy;
}

const transport = () => {
  const state: ConnectionState = hubbub.connection.get();
  return state.status === "connected" ? state.transport : state.status;
};

async function works(): Promise<void> {
  const seen: unknown[] = [];
  const subscription = hubbub.channel("works").subscribe((each) => seen.push(each.data));
  await subscription.ready;
  await hubbub.channel("works").publish("x", 1);
  await until(() => seen.length === 1);
  subscription.unsubscribe();
}

test("where WebSockets are refused, event streams are used, and remembered", async () => {
  const { requests } = await client();
  proxy.refuse = isWebSocket;
  await works();
  expect(transport()).toBe("sse");
  const before = requests.filter((each) => each.includes("/v1/ws")).length;
  expect(before).toBe(1);
  proxy.cut();
  await until(() => transport() !== "sse");
  await until(() => transport() === "sse");
  expect(requests.filter((each) => each.includes("/v1/ws"))).toHaveLength(before);
  await works();
});

test("where WebSockets hang, event streams are used", async () => {
  await client();
  proxy.swallow = isWebSocket;
  await works();
  expect(transport()).toBe("sse");
});

test("where event streams do not get through either, it polls", async () => {
  await client();
  proxy.refuse = (head) => isWebSocket(head) || isEventStream(head);
  await hubbub.connect();
  await until(() => transport() === "polling");
  await works();
  await until(() => proxy.requests.filter((each) => each.includes("/events?ack=")).length >= 2);
});

test("where event streams are held back, it polls", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  await client({ transports: ["sse", "polling"] });
  proxy.swallow = isEventStream;
  await hubbub.connect();
  expect(transport()).toBe("sse");
  await vi.waitUntil(() => vi.getTimerCount() > 0);
  await vi.advanceTimersByTimeAsync(10_100);
  vi.useRealTimers();
  await until(() => transport() === "polling");
  await works();
});

test("WebSockets are looked for again, and moved to without a loss", async () => {
  const { requests } = await client({ upgradeAfter: 0.1 });
  proxy.refuse = isWebSocket;
  const seen: unknown[] = [];
  const channel = hubbub.channel("moved");
  await channel.subscribe((each) => seen.push(each.data)).ready;
  expect(transport()).toBe("sse");
  const first = hubbub.connection.get();
  await until(() => requests.filter((each) => each.includes("/v1/ws")).length >= 3);
  expect(hubbub.connection.get()).toBe(first);
  proxy.refuse = undefined;
  let published = 0;
  while (transport() !== "websocket") await channel.publish("x", published++);
  await channel.publish("x", published++);
  const session = first.status === "connected" ? first.session : "";
  expect(hubbub.connection.get()).toMatchObject({ resumed: true, session });
  await until(() => seen.length === published);
  expect(seen).toEqual([...Array(published).keys()]);
});

test("an event stream that a proxy ends is opened again, and the session goes on", async () => {
  const ends: (() => void)[] = [];
  const ending: typeof fetch = async (...args) => {
    const response = await fetch(...args);
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) return response;
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        ends.push(() => {
          controller.close();
          reader.cancel().catch(() => {});
        });
        for (;;) {
          const { value, done } = await reader.read();
          if (done) return;
          controller.enqueue(value);
        }
      },
    });
    return new Response(body, { headers: response.headers });
  };
  await client({ transports: ["sse"], fetch: ending });
  const seen: unknown[] = [];
  const channel = hubbub.channel("ended");
  await channel.subscribe((each) => seen.push(each.data)).ready;
  const before = hubbub.connection.get();
  for (let round = 0; round < 3; round++) {
    await channel.publish("x", round);
    await until(() => seen.length === round + 1);
    ends.at(-1)?.();
    await until(() => ends.length === round + 2);
  }
  await channel.publish("x", 3);
  await until(() => seen.length === 4);
  expect(seen).toEqual([0, 1, 2, 3]);
  expect(hubbub.connection.get()).toBe(before);
  expect(proxy.requests.filter((each) => each === "POST /v1/sessions")).toHaveLength(1);
});

test("a session over HTTP is ended when it is closed", async () => {
  await client({ transports: ["polling"] });
  await hubbub.connect();
  await hubbub.close();
  await until(() => proxy.requests.some((each) => each.startsWith("DELETE /v1/sessions/")));
});

test("without a WebSocket, as in Node 20, event streams are the first choice", async () => {
  vi.stubGlobal("WebSocket", undefined);
  proxy = await FaultProxy.start(server);
  hubbub = new Hubbub(proxy.url, { token: server.token("ada") });
  await works();
  expect(transport()).toBe("sse");
  expect(proxy.requests.some((each) => each.includes("/v1/ws"))).toBe(false);
  vi.unstubAllGlobals();
});

test("where answers have no body to read from, as in React Native, it polls", async () => {
  const bodiless: typeof fetch = async (...args) => {
    const response = await fetch(...args);
    return new globalThis.Proxy(response, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (name === "body") return undefined;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  await client({ transports: ["sse", "polling"], fetch: bodiless });
  await hubbub.connect();
  await until(() => transport() === "polling");
  await works();
});

test("what answers HTTP but is no Hubbub is tried again, later", async () => {
  let answers = 0;
  const stranger: HttpServer = createServer((_, response) => {
    answers++;
    response.writeHead(200, { "content-type": "text/html" }).end("<h1>Welcome to our hotel</h1>");
  });
  await new Promise<void>((done) => stranger.listen(0, "127.0.0.1", done));
  const { port } = stranger.address() as { port: number };
  hubbub = new Hubbub(`http://127.0.0.1:${port}`, { WebSocket, token: "t" });
  const connecting = hubbub.connect().catch(() => {});
  await until(() => {
    const state = hubbub.connection.get();
    return state.status === "connecting" && state.reason?.includes("no Hubbub") && answers >= 3;
  });
  await hubbub.close();
  await connecting;
  stranger.closeAllConnections();
  await new Promise((done) => stranger.close(done));
});

test("a path before the server is kept, though a proxy takes it off", async () => {
  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!request.url?.startsWith("/realtime/")) return void response.writeHead(404).end("{}");
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) =>
        /^(hubbub|content-type|accept$|authorization)/.test(name),
      ),
    ) as Record<string, string>;
    const answer = await fetch(server.url + request.url.slice("/realtime".length), {
      method: request.method ?? "GET",
      headers,
      ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
    });
    response.writeHead(answer.status, { "hubbub-next": answer.headers.get("hubbub-next") ?? "" });
    response.end(answer.status === 204 ? undefined : await answer.text());
  }
  const front = createServer((request, response) => {
    pass(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((done) => front.listen(0, "127.0.0.1", done));
  const { port } = front.address() as { port: number };
  const url = `http://127.0.0.1:${port}/realtime/`;
  hubbub = new Hubbub(url, { token: server.token("ada"), transports: ["polling"] });
  await works();
  await hubbub.close();
  front.closeAllConnections();
  await new Promise((done) => front.close(done));
});
