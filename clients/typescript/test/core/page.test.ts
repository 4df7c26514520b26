// What a page tells: network, visibility, leaving. The page is made of event targets, time is a fake.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Hubbub as Client, ConnectionState } from "../../src/index.js";
import { Script } from "../scripted.js";

let script: Script;
let hubbub: Client;
let page: EventTarget;
let document: EventTarget & { visibilityState: string };
let navigator: { onLine: boolean };

beforeEach(async () => {
  vi.useFakeTimers();
  vi.resetModules();
  script = new Script();
  page = new EventTarget();
  document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  navigator = { onLine: true };
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
  vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
  vi.stubGlobal("document", document);
  vi.stubGlobal("navigator", navigator);
  const { Hubbub } = await import("../../src/index.js");
  hubbub = new Hubbub("http://server.test", {
    token: "t",
    transports: ["websocket"],
    WebSocket: script.WebSocket,
  });
  await hubbub.connect();
});
afterEach(async () => {
  await hubbub.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const tick = (milliseconds = 0) => vi.advanceTimersByTimeAsync(milliseconds);
const state = (): ConnectionState => hubbub.connection.get();
const tell = (target: EventTarget, name: string, more: object = {}) =>
  target.dispatchEvent(Object.assign(new Event(name), more));

test("without a network it is offline, and comes back at once when there is one", async () => {
  await tick(6_000);
  navigator.onLine = false;
  tell(page, "offline");
  script.socket.end();
  expect(state()).toMatchObject({ status: "offline" });
  script.opens = "refused";
  await tick(10_000);
  expect(script.sockets).toHaveLength(1);
  await tick(15_000); // hosts may be wrong: it is tried, seldom
  expect(script.sockets).toHaveLength(2);
  expect(state()).toMatchObject({ status: "offline" });
  script.opens = "yes";
  navigator.onLine = true;
  tell(page, "online");
  await tick();
  expect(state()).toMatchObject({ status: "connected", resumed: true });
});

test("a network that is said to be gone is looked for: what answers is not left", async () => {
  tell(page, "offline");
  await tick(2_100);
  expect(script.socket.last("ping")).toBeDefined();
  expect(state()).toMatchObject({ status: "connected" });
  script.answer = () => {};
  navigator.onLine = false;
  tell(page, "offline");
  await tick(2_100);
  expect(state()).toMatchObject({ status: "offline" });
});

test("whoever looks at the page again does not wait for the back-off", async () => {
  await tick(6_000);
  document.visibilityState = "hidden";
  script.opens = "refused";
  script.socket.end();
  for (let n = 0; n < 8; n++) {
    const now = state();
    await tick(now.status === "recovering" ? now.retryAt - Date.now() : 0);
  }
  script.opens = "yes";
  const before = script.sockets.length;
  tell(document, "visibilitychange");
  await tick();
  expect(script.sockets).toHaveLength(before);
  document.visibilityState = "visible";
  tell(document, "visibilitychange");
  await tick();
  expect(state()).toMatchObject({ status: "connected" });
});

test("a connection that died while nobody looked is found out soon", async () => {
  script.answer = () => {};
  tell(document, "visibilitychange");
  await tick(2_300);
  expect(script.sockets).toHaveLength(2);
  expect(state()).toMatchObject({ status: "connected", resumed: true });
});

test("a page that may come back closes its connection, and resumes when it is shown", async () => {
  tell(page, "pagehide", { persisted: true });
  expect(script.socket.left).toBe(4000);
  await tick(60_000);
  expect(script.sockets).toHaveLength(1);
  tell(page, "pageshow", { persisted: true });
  await tick();
  expect(state()).toMatchObject({ status: "connected", resumed: true });
});

test("a page that goes for good ends its session", async () => {
  tell(page, "pagehide", { persisted: false });
  expect(script.socket.left).toBe(1000);
});

test("a closed client listens no more", async () => {
  await hubbub.close();
  tell(page, "online");
  tell(document, "visibilitychange");
  await tick(1_000);
  expect(script.sockets).toHaveLength(1);
  expect(state()).toEqual({ status: "closed" });
});
