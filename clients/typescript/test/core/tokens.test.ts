import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import {
  type ConnectionState,
  Hubbub,
  HubbubError,
  type HubbubOptions,
  type TokenReason,
} from "../../src/index.js";
import { Server, until } from "../server.js";

let server: Server;
let hubbub: Hubbub;

beforeAll(async () => {
  server = await Server.start({ settings: { "auth.leeway": 0, "auth.expiry_grace": 0 } });
});
afterAll(() => server.stop());
afterEach(() => hubbub?.close());

function client(options: HubbubOptions): Hubbub {
  hubbub = new Hubbub(server.url, { WebSocket, ...options });
  return hubbub;
}

function statuses(): string[] {
  const seen: string[] = [];
  hubbub.connection.subscribe(() => seen.push(hubbub.connection.get().status));
  return seen;
}

test("a token is replaced before it expires, and the session goes on", async () => {
  const reasons: TokenReason[] = [];
  client({
    token: async (reason) => {
      reasons.push(reason);
      return server.token("ada", { ttl: reasons.length < 3 ? 3 : 3600 });
    },
  });
  await hubbub.connect();
  const first = hubbub.connection.get();
  const seen = statuses();
  await until(() => reasons.length === 3);
  await hubbub.channel("x").publish("x", 1);
  expect(reasons).toEqual(["first", "expiring", "expiring"]);
  expect(seen).toEqual([]);
  expect(hubbub.connection.get()).toBe(first);
});

test("a token that was not replaced in time ends the session; a new one begins another", async () => {
  const reasons: TokenReason[] = [];
  const events: string[] = [];
  client({
    token: async (reason) => {
      reasons.push(reason);
      if (reason === "expiring") throw new Error("no network");
      return server.token("ada", { ttl: reason === "first" ? 2 : 3600 });
    },
  });
  const tell = (each: { type: string }) => void events.push(each.type);
  await hubbub.channel("expiry").subscribe({ publication: tell, gap: tell, recovered: tell }).ready;
  await hubbub.channel("expiry").publish("x", 1);
  await until(() => reasons.includes("expired"));
  await until(() => hubbub.connection.get().status === "connected");
  await hubbub.channel("expiry").publish("x", 2);
  await until(() => events.filter((each) => each === "publication").length === 2);
  expect(events).toEqual(["publication", "recovered", "publication"]);
  expect(hubbub.connection.get()).toMatchObject({ resumed: false });
});

test("a first token that has expired is replaced, once", async () => {
  const token = vi.fn(async (reason: TokenReason) =>
    server.token("ada", { ttl: reason === "first" ? -10 : 60 }),
  );
  client({ token });
  await hubbub.connect();
  expect(token.mock.calls).toEqual([["first"], ["expired"]]);
  await hubbub.close();
  const bad = vi.fn(async () => "nonsense");
  client({ token: bad });
  await expect(hubbub.connect()).rejects.toMatchObject({ code: 102, name: "invalid_token" });
  expect(bad).toHaveBeenCalledTimes(2);
});

test("a fixed token that is refused has failed, and everybody who waits is told", async () => {
  client({ token: "nonsense" });
  const call = hubbub.call("x").catch((error: unknown) => error);
  const ready = hubbub
    .channel("x")
    .subscribe(() => {})
    .ready.catch((error: unknown) => error);
  const next = hubbub
    .channel("x")
    [Symbol.asyncIterator]()
    .next()
    .catch((error: unknown) => error);
  await expect(hubbub.connect()).rejects.toBeInstanceOf(HubbubError);
  const state: ConnectionState = hubbub.connection.get();
  expect(state).toMatchObject({ status: "failed", error: { code: 102, temporary: false } });
  for (const each of [await call, await ready, await next]) expect(each).toMatchObject({ code: 102 });
});

test("no token, where one is needed, has failed", async () => {
  client({});
  await expect(hubbub.connect()).rejects.toMatchObject({ code: 101, name: "unauthenticated" });
});

test("a source that fails is asked again; one that gives up is believed", async () => {
  let asked = 0;
  client({
    token: () => {
      if (++asked < 3) throw new Error("backend away");
      return server.token("ada");
    },
  });
  await hubbub.connect();
  expect(asked).toBe(3);
  await hubbub.close();
  client({
    token: () => {
      throw new HubbubError({ code: 401, name: "signed_out", message: "sign in first" });
    },
  });
  await expect(hubbub.connect()).rejects.toMatchObject({ name: "signed_out" });
  expect(hubbub.connection.get()).toMatchObject({ status: "failed", error: { name: "signed_out" } });
});

test("a revoked user does not come back, until told to", async () => {
  client({ token: () => server.token("mallory") });
  await hubbub.connect();
  await server.post("/v1/users/mallory/disconnect", {});
  await until(() => hubbub.connection.get().status === "failed");
  expect(hubbub.connection.get()).toMatchObject({ error: { code: 3502, name: "forced" } });
  await hubbub.connect();
});

test("http() with a token that was refused tries once more with a new one", async () => {
  const token = vi.fn((reason: TokenReason) => server.token("ada", { ttl: reason === "first" ? -10 : 60 }));
  client({ token });
  const ticket = () =>
    hubbub.http("/v1/tickets", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ channels: ["lobby"] }),
    });
  const answers = await Promise.all([ticket(), ticket()]);
  expect(answers.map((each) => each.ok)).toEqual([true, true]);
  expect(token.mock.calls.length).toBeLessThanOrEqual(3);
});

test("no token goes to another origin", async () => {
  const asked: RequestInit[] = [];
  const fetch = async (_: unknown, init?: RequestInit) => {
    asked.push(init ?? {});
    return new Response("ok");
  };
  client({ token: server.token("ada"), fetch: fetch as typeof globalThis.fetch });
  await hubbub.http("https://elsewhere.test/file?signature=x");
  await hubbub.http(`${server.url}.evil.test/x`);
  await hubbub.http(`${server.url}/v1/x`);
  expect(asked.map((each) => new Headers(each.headers).has("authorization"))).toEqual([false, false, true]);
});
