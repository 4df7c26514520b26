// The stock client's bundle in a real Chromium, from the server's own origin and from another.
// Given by test_chromium.py: SERVER, PAGES (where this folder is served).

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const { chromium } = createRequire(new URL("../browser/package.json", import.meta.url))("playwright-core");
const { SERVER, PAGES } = process.env;
const BUNDLE = fileURLToPath(new URL("node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url));
const TRANSPORTS = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };
let browser;

before(async () => {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
});
after(() => browser?.close());

/** A page from `origin` that has the client, and all that its console complains of. */
async function open(t, origin) {
  const context = await browser.newContext({ bypassCSP: true }); // what the server itself serves forbids scripts
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(String(error)));
  page.on("response", async (response) => {
    if (response.ok() || response.url().endsWith("/favicon.ico")) return;
    const answer = `${response.request().method()} ${response.url()}: ${response.status()} ${await response.text()}`;
    // A poll that was on its way when its client closed comes too late; no browser keeps requests in order.
    if (!answer.endsWith('400 {"code":1,"message":"Session ID unknown"}')) page.faults.push(answer);
  });
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load")) page.faults.push(message.text());
  });
  await page.goto(origin === SERVER ? `${SERVER}/health/live` : `${origin}/page.html`);
  if (origin === SERVER) await page.addScriptTag({ path: BUNDLE });
  return page;
}

/** Runs in the page. */
async function talk({ server, transports }) {
  const once = (emitter, name) => new Promise((resolve) => emitter.once(name, (...values) => resolve(values)));
  const enter = async () => {
    const options = { transports, forceNew: true, withCredentials: true, reconnectionDelay: 100 };
    const socket = io(server, options); // eslint-disable-line no-undef
    await Promise.race([once(socket, "connect"), once(socket, "connect_error").then(([error]) => Promise.reject(error))]);
    return socket;
  };
  const [socket, other] = [await enter(), await enter()];
  const { engine } = socket.io;
  if (transports.length === 2 && engine.transport.name === "polling") await once(engine, "upgrade");

  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
  const echoed = await socket.emitWithAck("echo", { text: "ünï 🙂", bytes, blob: new Blob([bytes]) });
  const same = (buffer) => buffer instanceof ArrayBuffer && new Uint8Array(buffer).every((byte, at) => byte === at);
  socket.on("question", (value, answer) => answer(`${value}!`));

  const got = [];
  socket.on("tick", (number) => got.push(number));
  await socket.emitWithAck("join", `page ${socket.id}`);
  const room = `page ${socket.id}`;
  await other.emitWithAck("count", room, 1, 3);
  await socket.emitWithAck("echo", "fence");
  const before = socket.id;
  const gone = once(socket, "disconnect");
  engine.close();
  const [reason] = await gone;
  await other.emitWithAck("count", room, 4, 20);
  if (!socket.connected) await once(socket, "connect");
  await socket.emitWithAck("echo", "fence");
  const result = {
    transport: engine.transport.name,
    echoed: [echoed.text, same(echoed.bytes), same(echoed.blob)],
    asked: await socket.emitWithAck("ask", null, "question", "really", 5_000),
    reason,
    recovered: socket.recovered && socket.id === before,
    got,
  };
  socket.disconnect();
  other.disconnect();
  return result;
}

for (const [where, origin] of Object.entries({ "its own origin": SERVER, "another origin": PAGES })) {
  test(`a page from ${where} talks and recovers over every transport`, async (t) => {
    const page = await open(t, origin);
    for (const [name, transports] of Object.entries(TRANSPORTS)) {
      assert.deepEqual(await page.evaluate(talk, { server: SERVER, transports }), {
        transport: name === "upgrade" ? "websocket" : name,
        echoed: ["ünï 🙂", true, true],
        asked: { answer: "really!" },
        reason: "forced close",
        recovered: true,
        got: Array.from({ length: 20 }, (_, at) => at + 1),
      });
    }
    assert.deepEqual(page.faults, []);
  });
}

test("a page from an origin that is not allowed stays outside", { skip: !process.env.STRANGER }, async (t) => {
  const page = await open(t, process.env.STRANGER);
  for (const transports of Object.values(TRANSPORTS)) {
    const attempt = page.evaluate(
      ([server, transports]) =>
        new Promise((resolve) => {
          const socket = io(server, { transports, forceNew: true, reconnection: false }); // eslint-disable-line no-undef
          socket.on("connect", () => resolve("it is in"));
          socket.on("connect_error", (error) => resolve(error.message));
        }),
      [SERVER, transports],
    );
    assert.match(await attempt, /xhr poll error|websocket error/);
  }
});
