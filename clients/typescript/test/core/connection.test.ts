import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type ConnectionState, Hubbub, HubbubError, type HubbubOptions } from "../../src/index.js";
import { connected, publication, Script } from "../scripted.js";

let script: Script;
let hubbub: Hubbub;

beforeEach(() => {
  vi.useFakeTimers();
  script = new Script();
});
afterEach(async () => {
  await hubbub?.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function client(options: HubbubOptions = {}): Hubbub {
  hubbub = new Hubbub("http://server.test", {
    token: "t",
    transports: ["websocket"],
    WebSocket: script.WebSocket,
    ...options,
  });
  return hubbub;
}

const tick = (milliseconds = 0) => vi.advanceTimersByTimeAsync(milliseconds);
const state = (): ConnectionState => hubbub.connection.get();
const status = () => state().status;

describe("coming back", () => {
  test("first in 50 to 250 ms, then ever later", async () => {
    client();
    await hubbub.connect();
    await tick(6000);
    script.opens = "refused";
    script.socket.end();
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 12; attempt++) {
      const now = state();
      if (now.status !== "recovering") throw new Error(now.status);
      expect(now.attempt).toBe(attempt);
      waits.push(now.retryAt - Date.now());
      const before = script.sockets.length;
      await tick(now.retryAt - Date.now());
      expect(script.sockets.length).toBe(before + 1);
    }
    expect(waits[0]).toBeGreaterThanOrEqual(50);
    expect(waits[0]).toBeLessThanOrEqual(250);
    expect(Math.max(...waits)).toBeLessThanOrEqual(20_000);
    expect(Math.max(...waits)).toBeGreaterThan(250);
  });

  test("a connection that is lost at once, again and again, is not tried ever faster", async () => {
    client();
    await hubbub.connect();
    for (let n = 1; n <= 5; n++) {
      script.socket.end();
      expect(state()).toMatchObject({ status: "recovering", attempt: n });
      const now = state();
      await tick(now.status === "recovering" ? now.retryAt - Date.now() : 0);
      expect(status()).toBe("connected");
    }
    await tick(6_000); // this one stood
    script.socket.end();
    expect(state()).toMatchObject({ status: "recovering", attempt: 1 });
  });

  test("reconnect() does not wait", async () => {
    client();
    await hubbub.connect();
    script.socket.end();
    hubbub.reconnect();
    await tick();
    expect(state()).toMatchObject({ status: "connected", resumed: true });
    const before = script.socket;
    hubbub.reconnect();
    await tick();
    expect(before.left).toBe(4000);
    expect(state()).toMatchObject({ status: "connected", resumed: true });
    expect(script.socket).not.toBe(before);
  });

  test("retry_after of a refusal is waited for", async () => {
    client();
    let refusals = 1;
    script.hello = (socket, command) => {
      if (refusals-- > 0) {
        socket.say({
          type: "error",
          id: command.id,
          code: 120,
          message: "m",
          temporary: true,
          retry_after: 7,
        });
      } else {
        socket.say(connected(command));
      }
    };
    const done = hubbub.connect();
    await tick(6_900);
    expect(state()).toMatchObject({ status: "connecting", attempt: 2, reason: "m" });
    expect(script.sockets).toHaveLength(1);
    await tick(400);
    await done;
  });

  test("a socket that never opens is given up, and slow networks get more time", async () => {
    client({ connectTimeout: 2 });
    script.opens = "never";
    hubbub.connect().catch(() => {});
    await tick(1_900);
    expect(script.sockets).toHaveLength(1);
    await tick(200 + 250);
    expect(script.sockets).toHaveLength(2);
    await tick(3_500);
    expect(script.sockets).toHaveLength(2);
    expect(state()).toMatchObject({ reason: "no answer in 2 s" });
  });
});

describe("what the server says at the end", () => {
  const end = async (code: number, push?: object) => {
    if (push) script.socket.say({ type: "disconnect", code, reason: "because", ...push });
    else script.socket.end(code, "because");
    await tick();
  };

  test.each([3500, 3502, 3503, 3504, 3505, 3506, 3777, 1002, 1009])("%i forbids to return", async (code) => {
    client();
    await hubbub.connect();
    await end(code);
    expect(state()).toMatchObject({ status: "failed", error: { code, message: "because" } });
    await tick(60_000);
    expect(script.sockets).toHaveLength(1);
    await expect(hubbub.call("x")).rejects.toMatchObject({ code });
    const again = hubbub.connect();
    await again;
    expect(state()).toMatchObject({ status: "connected", resumed: false });
  });

  test.each([1000, 1001, 1006, 3000, 3002, 3399, 4123])("after %i the session is resumed", async (code) => {
    client();
    await hubbub.connect();
    await end(code);
    await tick(300);
    expect(state()).toMatchObject({ status: "connected", resumed: true });
  });

  test("after 3400 comes a new session, with a new token", async () => {
    const token = vi.fn(async (reason: string) => `token-${reason}`);
    client({ token });
    await hubbub.connect();
    await end(3400, { reconnect: true });
    await tick(300);
    expect(state()).toMatchObject({ status: "connected", resumed: false });
    expect(script.socket.last("connect")).toMatchObject({ token: "token-expired" });
    expect(token.mock.calls).toEqual([["first"], ["expired"]]);
  });

  test("the push decides, for codes of the application's own too", async () => {
    client();
    await hubbub.connect();
    await end(4001, { reconnect: false });
    expect(state()).toMatchObject({ status: "failed", error: { code: 4001 } });
  });

  test("its retry_after is waited for", async () => {
    client();
    await hubbub.connect();
    await end(3000, { reconnect: true, retry_after: 5 });
    await tick(4_900);
    expect(script.sockets).toHaveLength(1);
    await tick(400);
    expect(script.sockets).toHaveLength(2);
  });

  test("advice is followed at a moment of one's own, and no answer is lost by it", async () => {
    client();
    await hubbub.connect();
    const first = script.socket;
    script.answer = () => {};
    const call = hubbub.call<{ done: boolean }>("slow");
    await tick();
    first.say({ type: "advice", action: "reconnect", reconnect_after: 1, spread: 2 });
    await tick(3_100);
    expect(first.left).toBeUndefined();
    first.say({ type: "result", id: first.last("call").id, result: { done: true } });
    expect(await call).toEqual({ done: true });
    await tick(300);
    expect(first.left).toBe(4000);
    expect(state()).toMatchObject({ status: "connected", resumed: true });
  });

  test("a token that is taken and refused soon after is replaced once, not for ever", async () => {
    const token = vi.fn(async () => "t");
    client({ token });
    await hubbub.connect();
    await end(3501);
    await tick(300);
    expect(status()).toBe("connected");
    await end(3501);
    expect(state()).toMatchObject({ status: "failed", error: { code: 3501, name: "auth_failed" } });
    expect(token).toHaveBeenCalledTimes(2);
  });

  test("a session that is gone is replaced on the same connection", async () => {
    client();
    await hubbub.connect();
    script.hello = (socket, command) => {
      if (command.resume) socket.say({ type: "error", id: command.id, code: 119, message: "gone" });
      else socket.say(connected(command, { session: "s2" }));
    };
    script.socket.end();
    await tick(300);
    expect(script.sockets).toHaveLength(2);
    expect(state()).toMatchObject({ status: "connected", session: "s2", resumed: false });
  });
});

describe("what lives and what does not", () => {
  test("after silence it asks, and leaves when nothing comes", async () => {
    client();
    await hubbub.connect();
    script.answer = () => {};
    await tick(8_900);
    expect(script.socket.last("ping")).toBeDefined();
    expect(status()).toBe("connected");
    await tick(500);
    expect(script.sockets[0]?.left).toBe(4000);
    expect(state()).toMatchObject({ status: "connected", resumed: true });
  });

  test("while it is answered, it stays", async () => {
    client();
    await hubbub.connect();
    await tick(120_000);
    expect(script.sockets).toHaveLength(1);
    expect(script.socket.received.filter((each) => each.type === "ping").length).toBeGreaterThan(5);
  });

  test("a method that takes its time does not end the connection, but not for ever", async () => {
    client();
    await hubbub.connect();
    script.answer = () => {};
    const call = hubbub.call("slow").catch((error: unknown) => error);
    await tick(30_000);
    expect(script.sockets).toHaveLength(1);
    await tick(20_000);
    expect(await call).toMatchObject({ code: 121, temporary: true });
  });

  test.each(["<html>", "[]", "1", "null", '{"no":"type"}', "\0"])(
    "garbage (%s) is left and come back from",
    async (text) => {
      client();
      await hubbub.connect();
      script.socket.say(text);
      expect(state()).toMatchObject({ status: "recovering", reason: expect.stringContaining("protocol") });
      await tick(300);
      expect(status()).toBe("connected");
    },
  );

  test("unknown pushes, unknown fields and answers to nothing are passed over", async () => {
    client();
    await hubbub.connect();
    script.socket.say({ type: "fireworks", big: true }, { type: "result", id: 999, result: {} }, "", "");
    script.socket.say({ type: "join", channel: "nobody", member: { session: "s", user: "u" }, more: 1 });
    await tick(100);
    expect(status()).toBe("connected");
  });
});

describe("what is sent again", () => {
  test("calls with a key, reads and publishes, in their order; a bare call is told that it may be lost", async () => {
    client();
    await hubbub.connect();
    const answer = script.answer;
    script.answer = () => {};
    const bare = hubbub.call("bare").catch((error: unknown) => error);
    const all = Promise.all([
      hubbub.call("keyed", { n: 1 }, { key: "k" }),
      hubbub.call("read", {}, { read: true }),
      hubbub.channel("c").publish("x", 1, { key: "p" }),
    ]);
    await tick();
    script.socket.end();
    expect(await bare).toMatchObject({ code: 1006, name: "connection_lost", temporary: true });
    const later = hubbub.call("later");
    script.answer = answer;
    await tick(300);
    await all;
    await later;
    const again = script.socket.received.slice(1).map((each) => ("method" in each ? each.method : each.type));
    expect(again).toEqual(["keyed", "read", "publish", "later"]);
    expect(script.socket.last("publish")).toMatchObject({ key: "p", data: 1 });
    const ids = script.sockets.flatMap((each) => each.received.map((command) => command.id));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("what a callback publishes on return goes behind what waited, and closing there rejects all", async () => {
    client();
    let again = false;
    const seen: Promise<unknown>[] = [];
    hubbub.channel("c").subscribe({
      subscribed: () => {
        if (again) seen.push(hubbub.channel("c").publish("x", "callback"));
      },
    });
    await hubbub.connect();
    await tick();
    script.socket.end();
    again = true;
    const waiting = hubbub.channel("c").publish("x", "waited");
    const position = { epoch: "e", offset: 0 };
    const subscriptions = [{ type: "subscribed", id: 0, channel: "c", recoverable: true, position }];
    script.hello = (socket, command) => socket.say(connected(command, { subscriptions }));
    await tick(1_000);
    await Promise.all([waiting, ...seen]);
    const published = script.socket.received.filter((each) => each.type === "publish");
    expect(published.map((each) => each.data)).toEqual(["waited", "callback"]);
    again = false;
    script.socket.end();
    const lost = hubbub
      .channel("c")
      .publish("x", 1)
      .catch((error: unknown) => error);
    hubbub.channel("c").subscribe({ subscribed: () => void hubbub.close() });
    await tick(1_000);
    expect(await lost).toMatchObject({ name: "closed" });
  });

  test("what is given up meanwhile is not", async () => {
    client();
    await hubbub.connect();
    script.socket.end();
    const stop = new AbortController();
    const call = hubbub.call("x", {}, { signal: stop.signal }).catch((error: unknown) => error);
    stop.abort();
    expect(await call).toBe(stop.signal.reason);
    await tick(300);
    expect(script.socket.received.map((each) => each.type)).toEqual(["connect"]);
  });
});

test("listeners of pushes that throw are reported, and the others told", async () => {
  const errors: unknown[] = [];
  client({ onError: (error) => errors.push(error) });
  const seen: unknown[] = [];
  hubbub.on("push", () => {
    throw new Error("mine");
  });
  const stop = hubbub.on("push", (push) => seen.push(push.type));
  await hubbub.connect();
  script.socket.say(publication("inbox", undefined, 1));
  stop();
  script.socket.say(publication("inbox", undefined, 2));
  expect(seen).toEqual(["publication"]);
  expect(errors).toEqual([new Error("mine"), new Error("mine")]);
});

test("the server's clock is known by what it says, whatever the device's", async () => {
  client();
  await hubbub.connect();
  const server = Date.now() / 1000 + 3_600;
  script.socket.say({ ...publication("inbox", undefined, 1), time: server - 2 });
  script.socket.say({ ...publication("inbox", undefined, 1), time: server });
  script.socket.say({ ...publication("inbox", undefined, 1), time: server - 5 });
  expect(hubbub.time()).toBeCloseTo(server, 1);
});

test("whoever sets the device's clock does not move the server's", async () => {
  client();
  const before = hubbub.time();
  expect(before).toBeCloseTo(Date.now() / 1000, 1);
  const server = before + 3_600;
  script.hello = (socket, command) => socket.say(connected(command, { time: server }));
  await hubbub.connect();
  vi.setSystemTime(Date.now() - 86_400_000);
  expect(hubbub.time()).toBeCloseTo(server, 3);
  vi.setSystemTime(Date.now() + 2 * 86_400_000);
  expect(hubbub.time()).toBeCloseTo(server, 3);
  await tick(5_000);
  expect(hubbub.time()).toBeCloseTo(server + 5, 3);
  expect(script.sockets).toHaveLength(1);
});

test("nor does it fail what is under way", async () => {
  client();
  await hubbub.connect();
  script.answer = () => {};
  const call = hubbub.call("slow");
  await tick();
  vi.setSystemTime(Date.now() + 86_400_000);
  await tick(4_000); // longer than between two looks at what is too late
  script.socket.say({ type: "result", id: script.socket.last("call").id, result: 1 });
  expect(await call).toBe(1);
});

test("a clock that goes faster than the server's is put right after a while", async () => {
  client();
  const start = hubbub.time();
  script.hello = (socket, command) => socket.say(connected(command, { time: start }));
  await hubbub.connect();
  await tick(601_000);
  script.socket.say({ ...publication("inbox", undefined, 1), time: start + 600 });
  expect(hubbub.time()).toBeCloseTo(start + 600, 3);
});

test("HubbubError has no fields that it was not told", () => {
  const error = HubbubError.from({ code: 104, message: "no", name: "permission_denied" });
  expect(Object.keys(error).sort()).toEqual(["code", "name", "temporary"]);
  expect(`${error}`).toBe("permission_denied: no");
});
