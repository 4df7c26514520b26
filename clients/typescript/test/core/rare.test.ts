/** What happens at rare moments, by scripts: tokens that are good for a moment, sessions that end under a request. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Hubbub } from "../../src/index.js";
import { connected, Script } from "../scripted.js";

let hubbub: Hubbub;

beforeEach(() => void vi.useFakeTimers());
afterEach(async () => {
  await hubbub.close();
  vi.useRealTimers();
});

const tick = (milliseconds = 0) => vi.advanceTimersByTimeAsync(milliseconds);
const status = () => hubbub.connection.get().status;

describe("tokens that are good for a moment", () => {
  /** How often a token was fetched in ten seconds; each is good for `ttl` seconds. */
  async function fetched(ttl: number): Promise<number> {
    const script = new Script();
    const token = vi.fn(async () => "t");
    const expires = () => Date.now() / 1000 + ttl;
    script.hello = (socket, command) => socket.say(connected(command, { expires: expires() }));
    script.answer = (socket, command) =>
      socket.say({ type: "result", id: command.id, result: { expires: expires() } });
    hubbub = new Hubbub("http://server.test", {
      token,
      transports: ["websocket"],
      WebSocket: script.WebSocket,
    });
    await hubbub.connect();
    await tick(10_000);
    expect(status()).toBe("connected");
    return token.mock.calls.length - 1;
  }

  test.each([
    [1, 20],
    [2, 10],
    [4, 5],
    [3_600, 0],
  ])("one of %i s is replaced when half of its time is over, not again and again", async (ttl, times) => {
    expect(await fetched(ttl)).toBe(times);
  });

  test("one that has expired when it comes is not replaced at once, for ever", async () => {
    expect(await fetched(-1)).toBe(0);
  });
});

describe("a session over HTTP that ends under a request", () => {
  const session = {
    ...connected({ type: "connect", id: 1, token: "t" }),
    stream: { events: "/v1/sessions/s1/events", commands: "/v1/sessions/s1/commands", poll_timeout: 25 },
  };
  const gone = () => new Response(JSON.stringify({ code: 119, message: "gone" }), { status: 410 });

  /** A server whose polls are answered by `poll`, and which has forgotten the session when commands come. */
  async function enter(poll: (signal: AbortSignal) => Promise<Response>): Promise<() => number> {
    let sessions = 0;
    const fake = async (url: string, init: RequestInit = {}): Promise<Response> => {
      if (url.endsWith("/v1/sessions")) {
        sessions++;
        return new Response(JSON.stringify(session), { status: 201 });
      }
      if (init.method === "POST") return gone();
      if (init.method === "DELETE") return new Response(null, { status: 204 });
      return poll(init.signal as AbortSignal);
    };
    hubbub = new Hubbub("http://server.test", {
      token: "t",
      transports: ["polling"],
      fetch: fake as typeof fetch,
    });
    await hubbub.connect();
    return () => sessions;
  }

  test("what is read says why, though the answer to a POST is faster", async () => {
    const why = { type: "disconnect", code: 3503, reason: "revoked", reconnect: false };
    let say = (_: Response) => {};
    const sessions = await enter(() => new Promise((resolve) => (say = resolve)));
    hubbub
      .channel("a")
      .publish("x", 1)
      .catch(() => undefined);
    await tick(200);
    say(new Response(`${JSON.stringify(why)}\n`, { status: 200 }));
    await tick(5_000);
    expect(hubbub.connection.get()).toMatchObject({ status: "failed", error: { code: 3503 } });
    expect(sessions()).toBe(1);
  });

  test("where nothing says why, it is come back to", async () => {
    const sessions = await enter(
      (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    );
    hubbub
      .channel("a")
      .publish("x", 1)
      .catch(() => undefined);
    await tick(500);
    expect([status(), sessions()]).toEqual(["connected", 1]);
    await tick(2_000);
    expect(sessions()).toBeGreaterThan(1);
  });
});
