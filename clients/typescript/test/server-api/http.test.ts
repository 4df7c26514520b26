import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { HubbubError, HubbubServer, type HubbubServerOptions } from "../../src/server.js";

interface Seen {
  method: string;
  url: string;
  headers: Headers;
  body: unknown;
}

const refused = (status: number, name: string, more: object = {}) =>
  Response.json({ code: 100, name, message: name, temporary: status >= 429, ...more }, { status });
const PUBLISHED = { id: "p1" };

/** A server of which each call gets the next of `answers`; the last one stands for all later. */
function scripted(answers: (() => Response | Promise<Response>)[], options: HubbubServerOptions = {}) {
  const seen: Seen[] = [];
  const pauses: number[] = [];
  const server = new HubbubServer("https://chat.example.com/base/", {
    apiKey: "hk_1",
    backoff: (repeat) => {
      pauses.push(repeat);
      return 0;
    },
    fetch: async (url, init) => {
      const body = init?.body;
      seen.push({
        method: init?.method ?? "GET",
        url: String(url),
        headers: new Headers(init?.headers),
        body: typeof body === "string" ? JSON.parse(body) : body,
      });
      const answer = answers[Math.min(seen.length, answers.length) - 1];
      if (!answer) throw new Error("nothing to answer");
      return answer();
    },
    ...options,
  });
  return { server, seen, pauses };
}

async function caught(promise: Promise<unknown>): Promise<HubbubError> {
  const error = await promise.catch((each: unknown) => each);
  if (!(error instanceof HubbubError)) throw new Error(`no HubbubError but ${String(error)}`);
  return error;
}

describe("what is sent", () => {
  test("a publication, with a key of its own", async () => {
    const { server, seen } = scripted([() => Response.json(PUBLISHED)]);
    await server.publish("orders:eu", "paid", { id: 7 }, { conflationKey: "7", exclude: "s1" });
    await server.publish("orders:eu", "paid", null);
    expect(seen[0]).toMatchObject({ method: "POST", url: "https://chat.example.com/base/v1/publish" });
    expect(seen[0]?.body).toEqual({
      channel: "orders:eu",
      event: "paid",
      data: { id: 7 },
      conflation_key: "7",
      exclude: "s1",
    });
    expect(seen[0]?.headers.get("authorization")).toBe("Bearer hk_1");
    expect(seen[1]?.body).toEqual({ channel: "orders:eu", event: "paid", data: null });
    const keys = seen.map((each) => each.headers.get("idempotency-key"));
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(keys[1]).not.toBe(keys[0]);
  });

  test("names and queries, encoded", async () => {
    const { server, seen } = scripted([() => Response.json({})]);
    await server.history("orders:eu/7 ?", { since: { epoch: "e", offset: 3 }, limit: 5, reverse: true });
    await server.connections({ user: "zoë/1", after: "s&1" });
    await server.disconnect({ session: "s/1" }, { code: 4001 });
    await server.dropDeadLetters("all");
    expect(
      seen.map((each) => `${each.method} ${each.url.replace("https://chat.example.com/base/v1", "")}`),
    ).toEqual([
      "GET /channels/orders%3Aeu%2F7%20%3F/history?since=e%3A3&limit=5&reverse=true",
      "GET /users/zo%C3%AB%2F1/connections?after=s%261",
      "POST /connections/s%2F1/disconnect",
      "DELETE /dead-letters",
    ]);
    expect(seen[0]?.headers.has("idempotency-key")).toBe(false);
  });

  test("operations: params go into the path, then the body or the query", async () => {
    const { server, seen } = scripted([() => Response.json({})]);
    const ada = server.as("adä").chat;
    await ada.messages.send({ conversation: "c/1", parts: [{ type: "text", text: "hi" }] }, { key: "k1" });
    await ada.messages.list({ conversation: "c1", limit: 2 });
    await ada("reactions.add", { conversation: "c1", message: 2, name: "👍" });
    await server.chat.search({ query: "ship tod*" });
    await server.chat.moderation.rules.list();
    expect(
      seen.map((each) => `${each.method} ${each.url.replace("https://chat.example.com/base/v1", "")}`),
    ).toEqual([
      "POST /conversations/c%2F1/messages",
      "GET /conversations/c1/messages?limit=2",
      "PUT /conversations/c1/messages/2/reactions/%F0%9F%91%8D",
      "GET /search?query=ship+tod*",
      "GET /moderation/rules/versions",
    ]);
    expect(seen[0]?.body).toEqual({ parts: [{ type: "text", text: "hi" }] });
    expect(seen[0]?.headers.get("idempotency-key")).toBe("k1");
    expect(seen[0]?.headers.get("hubbub-user")).toBe("ad%C3%A4");
    expect(seen[1]?.headers.has("idempotency-key")).toBe(false);
    expect(seen[3]?.headers.has("hubbub-user")).toBe(false);
  });

  test("nothing, when a name in the path or the operation is not there", async () => {
    const { server, seen } = scripted([() => Response.json({})]);
    await expect(server.chat.messages.list({ conversation: "" })).rejects.toThrow("conversation is missing");
    await expect(server.chat("messages.lst" as "me.get")).rejects.toThrow(TypeError);
    expect(seen).toEqual([]);
  });

  test("nothing, without what it takes", async () => {
    const server = new HubbubServer("https://chat.example.com");
    await expect(server.publish("a", "b", null)).rejects.toThrow("apiKey");
    await expect(server.token("ada")).rejects.toThrow("tokenSecret");
    expect(() => new HubbubServer("ws://chat.example.com")).toThrow(TypeError);
  });

  test("a chat is no promise: it can be returned by async functions", async () => {
    const { server } = scripted([() => Response.json({})]);
    expect(await (async () => server.chat)()).toBe(server.chat);
  });
});

describe("repeats", () => {
  test("of what has a key, with the same key, until it is done", async () => {
    const { server, seen, pauses } = scripted([
      () => refused(503, "store_unavailable"),
      () => refused(500, "internal"),
      () => Promise.reject(new TypeError("fetch failed", { cause: { code: "ECONNRESET" } })),
      () => new Response("<html>bad gateway", { status: 502 }),
      () => Response.json(PUBLISHED),
    ]);
    expect(await server.publish("a", "b", 1)).toEqual(PUBLISHED);
    expect(new Set(seen.map((each) => each.headers.get("idempotency-key"))).size).toBe(1);
    expect(pauses).toEqual([0, 1, 2, 3]);
  });

  test("of what only reads", async () => {
    const { server, seen } = scripted([() => refused(500, "internal"), () => Response.json({ nodes: [] })]);
    await server.nodes();
    expect(seen).toHaveLength(2);
  });

  test("never of what may have been done and has no key", async () => {
    for (const answer of [
      () => refused(500, "internal"),
      () => Promise.reject(new TypeError("fetch failed")),
    ]) {
      const { server, seen } = scripted([answer]);
      await caught(server.disconnect({ user: "ada" }));
      await caught(server.chat.moderation.rules.publish());
      expect(seen).toHaveLength(2);
    }
  });

  test("but of what was not begun", async () => {
    const { server, seen } = scripted([
      () => refused(503, "overloaded"),
      () => Response.json({ sessions: 1 }),
    ]);
    await server.disconnect({ user: "ada" });
    expect(seen).toHaveLength(2);
  });

  test("never of what is refused for good", async () => {
    const { server, seen } = scripted([
      () => refused(403, "permission_denied", { code: 104, field: "user" }),
    ]);
    const error = await caught(server.publish("a", "b", 1));
    expect(error).toMatchObject({ code: 104, name: "permission_denied", temporary: false, field: "user" });
    expect(seen).toHaveLength(1);
  });

  test("at most as often as said", async () => {
    const { server, seen } = scripted([() => refused(503, "draining")], { retries: 2 });
    expect((await caught(server.nodes())).name).toBe("draining");
    expect(seen).toHaveLength(3);
    const never = scripted([() => refused(503, "draining")], { retries: 0 });
    await caught(never.server.nodes());
    expect(never.seen).toHaveLength(1);
  });

  test("not before the time that the server says, nor when that is long", async () => {
    const { server, seen } = scripted([
      () => refused(429, "rate_limited", { retry_after: 0.05 }),
      () => new Response("", { status: 503, headers: { "Retry-After": "0" } }),
      () => refused(429, "rate_limited", { retry_after: 60 }),
    ]);
    const began = performance.now();
    expect((await caught(server.nodes())).retryAfter).toBe(60);
    expect(performance.now() - began).toBeGreaterThanOrEqual(45);
    expect(seen).toHaveLength(3);
  });

  test("end when the signal says so", async () => {
    const controller = new AbortController();
    const { server, seen } = scripted([() => refused(503, "draining")], { backoff: () => 5 });
    const call = server.nodes({ signal: controller.signal });
    while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    controller.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
    await expect(server.nodes({ signal: controller.signal })).rejects.toThrow("enough");
  });
});

describe("real sockets", () => {
  const sockets = createServer(() => {}); // takes requests and never answers
  afterEach(() => {
    sockets.closeAllConnections();
    sockets.close();
  });

  test("a server that never answers, and one that is not there", async () => {
    await new Promise<void>((resolve) => sockets.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(sockets.address() as AddressInfo).port}`;
    const options = { apiKey: "hk_1", timeout: 0.1, retries: 1, backoff: () => 0 };
    expect(await caught(new HubbubServer(url, options).nodes())).toMatchObject({
      code: 121,
      name: "timeout",
      temporary: true,
    });
    const controller = new AbortController();
    const call = new HubbubServer(url, options).nodes({ signal: controller.signal });
    sockets.once("request", () => controller.abort(new Error("enough")));
    await expect(call).rejects.toThrow("enough");
    sockets.closeAllConnections();
    await new Promise((resolve) => sockets.close(resolve));
    const error = await caught(new HubbubServer(url, options).nodes());
    expect(error).toMatchObject({ name: "connection_lost", temporary: true });
    expect(error.message).toBe("the server is not reached: ECONNREFUSED");
  });
});
