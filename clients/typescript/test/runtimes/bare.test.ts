// Where there is little: what React Native (Hermes) has, and nothing of a browser's. The package as it is built runs in a
// realm of its own, in which all else is missing.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import type * as ChatPackage from "../../src/chat.js";
import type * as Package from "../../src/index.js";
import { built } from "../examples/running.js";
import { FaultProxy, isWebSocket } from "../proxy.js";
import { Server, until } from "../server.js";

let server: Server;
let proxy: FaultProxy;
let folder: string;

beforeAll(async () => {
  folder = join(await built(), "dist");
  server = await Server.start({ settings: { "heartbeat.poll_timeout": 2 } });
}, 120_000);
beforeEach(async () => {
  proxy = await FaultProxy.start(server);
  return () => proxy.stop();
});
afterAll(() => server?.stop());

/** React Native's answers have no `body`: they come whole, or not at all. */
async function fetchWhole(url: string, init?: RequestInit): Promise<object> {
  const response = await fetch(url, init);
  const text = await response.text();
  const { ok, status, headers } = response;
  return { ok, status, headers, text: async () => text, json: async () => JSON.parse(text) };
}

/** The entries of the package, in a realm that has these globals and no others but JavaScript's own. */
function realm(): { Hubbub: typeof Package.Hubbub; Chat: typeof ChatPackage.Chat } {
  const { setTimeout, clearTimeout, setInterval, clearInterval, queueMicrotask, AbortController } =
    globalThis;
  const timers = { setTimeout, clearTimeout, setInterval, clearInterval, queueMicrotask };
  const has = { ...timers, AbortController, fetch: fetchWhole, WebSocket, console };
  const context = createContext({ ...has, window: undefined, navigator: { product: "ReactNative" } });
  const modules = new Map<string, { exports: Record<string, unknown> }>();
  const load = (path: string): Record<string, unknown> => {
    const known = modules.get(path);
    if (known) return known.exports;
    const module = { exports: {} as Record<string, unknown> };
    modules.set(path, module);
    const code = `(function (exports, module, require) {${readFileSync(path, "utf8")}\n})`;
    const run = runInContext(code, context, { filename: path }) as (...args: unknown[]) => void;
    run(module.exports, module, (name: string) => load(join(dirname(path), name)));
    return module.exports;
  };
  const missing = [
    "document",
    "localStorage",
    "indexedDB",
    "EventSource",
    "crypto",
    "performance",
    "TextDecoder",
  ];
  for (const name of missing) expect(runInContext(`typeof ${name}`, context)).toBe("undefined");
  return { ...load(join(folder, "index.cjs")), ...load(join(folder, "chat.cjs")) } as ReturnType<
    typeof realm
  >;
}

test.each(["websocket", "polling"] as const)("by %s it is a chat that comes back", async (transport) => {
  const { Hubbub, Chat } = realm();
  if (transport === "polling") proxy.refuse = isWebSocket;
  const hubbub = new Hubbub(proxy.url, {
    token: async () => server.token(`ada-${transport}`),
    connectTimeout: 2,
  });
  const chat = new Chat(hubbub);
  const orders = hubbub.channel("orders");
  const seen: unknown[] = [];
  try {
    await orders.subscribe((publication) => seen.push(publication.data)).ready;
    await chat.start();
    const made = await chat.call("conversations.create", { kind: "group", name: "Release", members: [] });
    const { id } = made.conversation;
    await chat.send(id, { text: "Hello" }).sent;
    await until(() => chat.conversation(id).get()?.lastMessage?.seq !== undefined);
    await orders.publish("x", 1);
    proxy.cut();
    await orders.publish("x", 2);
    await until(() => seen.length === 2);
    expect(seen).toEqual([1, 2]);
    await hubbub.connect();
    await chat.send(id, { text: "Still there" }).sent;
    expect(hubbub.connection.get()).toMatchObject({ status: "connected", transport });
    expect(hubbub.time()).toBeCloseTo(Date.now() / 1000, -1);
  } finally {
    chat.stop();
    await hubbub.close();
  }
});
