// Sessions that the server ends: by every transport the client learns why, and stays away.

import { createHash } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Hubbub } from "../../src/index.js";
import { HubbubServer } from "../../src/server.js";
import { FaultProxy } from "../proxy.js";
import { Server, until } from "../server.js";

const API_KEY = `hubbub_${"k".repeat(43)}`;

let server: Server;
let api: HubbubServer;
let proxy: FaultProxy;
let hubbub: Hubbub;

beforeAll(async () => {
  const hash = createHash("sha256").update(API_KEY).digest("hex");
  server = await Server.start({ settings: { "auth.api_keys": `sha256:${hash}` } });
  api = new HubbubServer(server.url, { apiKey: API_KEY });
});
afterAll(() => server.stop());
afterEach(async () => {
  await hubbub.close();
  await proxy.stop();
});

/** A client that is subscribed, and how often it has asked for a session so far. */
async function client(user: string, transport: "websocket" | "sse" | "polling"): Promise<() => number> {
  proxy = await FaultProxy.start(server);
  hubbub = new Hubbub(proxy.url, {
    token: async () => server.token(user),
    WebSocket,
    transports: [transport],
  });
  await hubbub.channel("lobby").subscribe(() => {}).ready;
  return () => proxy.requests.filter((each) => /^(POST \/v1\/sessions|GET \/v1\/ws)$/.test(each)).length;
}

const failed = () => until(() => hubbub.connection.get().status === "failed");

describe.each(["websocket", "sse", "polling"] as const)("by %s", (transport) => {
  test("of a user that is disconnected", async () => {
    const sessions = await client("ada", transport);
    await api.disconnect({ user: "ada" });
    await failed();
    const error = { code: 3502, name: "forced", message: "disconnected by the server", temporary: false };
    expect(hubbub.connection.get()).toMatchObject({ error });
    await expect(hubbub.call("x")).rejects.toMatchObject({ code: 3502 });
    expect(sessions()).toBe(1);
  });

  test("of one whose tokens are revoked", async () => {
    const sessions = await client(`bob-${transport}`, transport);
    await api.revoke({ user: `bob-${transport}` });
    await failed();
    expect(hubbub.connection.get()).toMatchObject({ error: { code: 3503, name: "revoked" } });
    expect(sessions()).toBe(1);
  });

  test("of one who is just sending", async () => {
    const sessions = await client("eve", transport);
    const publishing = (async () => {
      for (;;) await hubbub.channel("lobby").publish("x", 1);
    })();
    const refused = publishing.catch((error: unknown) => error);
    await api.disconnect({ user: "eve" });
    expect(await refused).toMatchObject({ code: 3502 });
    await failed();
    expect(hubbub.connection.get()).toMatchObject({ error: { code: 3502, name: "forced" } });
    expect(sessions()).toBe(1);
  });
});
