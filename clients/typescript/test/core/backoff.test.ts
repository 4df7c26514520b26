// When a client tries again, and by what: on a clock of the tests' own.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { delay } from "../../src/core/chance.js";
import { Hubbub, type HubbubOptions } from "../../src/index.js";
import { connected, Script } from "../scripted.js";

let script: Script;
let hubbub: Hubbub;
/** Requests over HTTP, by their method and path. */
let requests: string[];
let answers: (url: string, init: RequestInit) => Promise<Response>;

beforeEach(() => {
  vi.useFakeTimers();
  script = new Script();
  requests = [];
  answers = async () => Response.error();
});
afterEach(async () => {
  await hubbub?.close();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function client(options: HubbubOptions = {}): Promise<void> {
  const fetch = async (url: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    requests.push(`${init.method ?? "GET"} ${String(url).replace("http://server.test", "")}`);
    return answers(String(url), init);
  };
  hubbub = new Hubbub("http://server.test", { token: "t", WebSocket: script.WebSocket, fetch, ...options });
  await hubbub.connect();
}

const tick = (milliseconds = 0) => vi.advanceTimersByTimeAsync(milliseconds);
const state = () => hubbub.connection.get();
const transport = () => {
  const now = state();
  return now.status === "connected" ? now.transport : now.status;
};

/** Until the next attempt is made; how long that was, in milliseconds. */
async function attempt(): Promise<number> {
  const now = state();
  if (now.status !== "recovering") throw new Error(now.status);
  const wait = now.retryAt - Date.now();
  await tick(wait);
  return wait;
}

/** A server that has event streams, and says nothing on them. */
const streams: typeof answers = async (url) =>
  url.endsWith("/v1/sessions")
    ? Response.json({
        ...(connected({ type: "connect", id: 1 }) as object),
        stream: { events: "/v1/sessions/s1/events", commands: "/v1/sessions/s1/commands", poll_timeout: 25 },
      })
    : new Response(new ReadableStream());

test("waits double up to a bound, which grows with the trouble", () => {
  const most = (attempt: number, trouble?: number) => Math.round(delay(attempt, trouble, () => 1));
  expect([1, 2, 3, 4, 5, 9].map((each) => most(each, 0))).toEqual([250, 500, 1000, 2000, 2000, 2000]);
  expect([24_000, 60_000, 120_000, 240_000, 1e9].map((each) => most(99, each))).toEqual([
    2_000, 5_000, 10_000, 20_000, 20_000,
  ]);
  expect(most(99)).toBe(20_000);
  expect(delay(99, 1e9, () => 0)).toBe(50);
});

test("for a minute no wait is longer than 5 s, and after a while none than 20 s", async () => {
  await client({ transports: ["websocket"] });
  await tick(1_000);
  vi.spyOn(Math, "random").mockReturnValue(1);
  script.opens = "refused";
  script.socket.end();
  const from = Date.now();
  const waits: [number, number][] = [];
  while (Date.now() - from < 600_000) waits.push([Date.now() - from, await attempt()]);
  expect(waits[0]?.[1]).toBe(250);
  const longest = (until: number) => Math.max(...waits.filter(([at]) => at <= until).map(([, wait]) => wait));
  expect(longest(20_000)).toBeLessThanOrEqual(2_000);
  expect(longest(60_000)).toBeLessThanOrEqual(5_000);
  expect(longest(60_000)).toBeGreaterThan(4_000);
  expect(longest(600_000)).toBe(20_000);
});

test("whatever stood for a second is come back to at once, however often it breaks", async () => {
  await client();
  for (let drop = 0; drop < 20; drop++) {
    await tick(1_001);
    script.socket.end();
    expect(state()).toMatchObject({ status: "recovering", attempt: 1 });
    expect(await attempt()).toBeLessThanOrEqual(250);
    expect(state()).toMatchObject({ status: "connected", resumed: true });
  }
});

test("no break of a WebSocket that was open has it given up, however soon it comes", async () => {
  await client();
  for (let drop = 1; drop < 20; drop++) {
    script.socket.end();
    expect(state()).toMatchObject({ status: "recovering", attempt: drop });
    await attempt();
    expect(transport()).toBe("websocket");
  }
  expect(requests).toEqual([]);
});

test("a WebSocket that was refused once is tried again before anything else", async () => {
  await client();
  await tick(1_000);
  script.opens = "refused";
  script.socket.end();
  await attempt();
  expect(requests).toEqual([]);
  script.opens = "yes";
  await attempt();
  expect(transport()).toBe("websocket");
  // The next time is a first one again.
  script.opens = "refused";
  script.socket.end();
  await attempt();
  expect(requests).toEqual([]);
});

test("where WebSockets get through no more, another transport is taken, and they are soon looked for", async () => {
  await client();
  await tick(1_000);
  answers = streams;
  script.opens = "refused";
  script.socket.end();
  await attempt();
  await attempt();
  expect(transport()).toBe("sse");
  expect(requests[0]).toBe("POST /v1/sessions");
  script.opens = "yes";
  const sockets = script.sockets.length;
  await tick(1_900);
  expect(script.sockets).toHaveLength(sockets);
  await tick(500);
  expect(transport()).toBe("websocket");
});

test("a WebSocket that never got through is not waited for", async () => {
  answers = streams;
  script.opens = "refused";
  await client();
  expect(transport()).toBe("sse");
  expect(script.sockets).toHaveLength(1);
  await tick(25_000);
  expect(script.sockets).toHaveLength(1);
});
