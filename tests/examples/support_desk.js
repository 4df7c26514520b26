// For the tests of the support desk's page: a real server, a real Chromium, and what people do. Given by
// test_support_chat.py: PYTHON, EXAMPLES (the folder), DIRECTORY (where the server runs), PAGES (where examples/ is
// served).

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { after, before } from "node:test";

const require = createRequire(new URL("../browser/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const { PYTHON, EXAMPLES, DIRECTORY, PAGES } = process.env;
const AXE = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");
let browser, server, port = 0;

export async function serve() {
  const settings = [`server.allowed_origins=${PAGES}`, "chat.enabled=true"].flatMap((each) => ["--set", each]);
  const command = ["-m", "hubbub", "serve", "support_chat.app:app", "--dev", "--port", String(port), ...settings];
  const env = { ...process.env, PYTHONPATH: EXAMPLES, PYTHONUNBUFFERED: "1", NO_COLOR: "1" };
  server = spawn(PYTHON, command, { cwd: DIRECTORY, env, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: server.stdout })) {
    const found = /address +http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
    if (!found) continue;
    port = Number(found[1]);
    return server.stdout.resume();
  }
  throw new Error("the server did not start");
}

export async function kill() {
  const ended = once(server, "exit");
  server.kill("SIGKILL");
  await ended;
}

before(async () => {
  await serve();
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
});
after(async () => {
  await browser.close();
  await kill();
});

/** A page of its own, with every fault that it met, and what it sent. */
export async function open(t, as, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  t.after(() => context.close());
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  [page.faults, page.sent, page.requests] = [[], [], []];
  page.on("pageerror", (error) => page.faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && page.faults.push(message.text()));
  page.on("request", (request) => request.url().includes("/v1/uploads/") && page.requests.push(request.method()));
  page.on("websocket", (socket) => {
    page.socket = socket;
    socket.on("framesent", ({ payload }) => page.sent.push(JSON.parse(payload)));
  });
  await page.goto(`${PAGES}/support_chat/page/index.html?server=http://127.0.0.1:${port}${as ? `&as=${as}` : ""}`);
  if (as) await state(page, "Live");
  return page;
}

/** For who wants to look: a picture of the page in the folder SHOTS. */
export const shot = (page, name) =>
  process.env.SHOTS ? page.screenshot({ path: `${process.env.SHOTS}/${name}.png` }) : null;

export const has = (page, selector, text) => page.locator(selector).filter({ hasText: text }).first().waitFor();
export const state = (page, text) => has(page, "#status", new RegExp(`^${text}$`));
export const texts = (page, log = "#log") => page.locator(`${log} .text`).allInnerTexts();

/** Wait until exactly these are shown, in this order. */
export async function reads(page, expected, log = "#log") {
  await page.waitForFunction(
    ([log, expected]) =>
      JSON.stringify([...document.querySelectorAll(`${log} .text`)].map((each) => each.innerText)) === expected,
    [log, JSON.stringify(expected)],
  ).catch(async (error) => assert.deepEqual(await texts(page, log), expected, String(error)));
}

/** Somebody with a name of its own opens a ticket. */
export async function ask(t, customer, subject, text, options) {
  const page = await open(t, customer, options);
  await page.fill("#subject", subject);
  await page.fill("#text", text);
  await page.click("#ask .primary");
  await reads(page, [text]);
  return page;
}

export async function choose(page, subject) {
  await page.click(`#tickets .row:has-text("${subject}")`);
  await has(page, "#name", subject);
}

export async function say(page, text, input = "#message") {
  await page.fill(input, text);
  await page.press(input, "Enter");
}

/** What axe objects to, in both colour schemes. */
export async function violations(page) {
  const found = [];
  await page.evaluate(AXE);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    const { passes, violations } = await page.evaluate(() => globalThis.axe.run());
    assert.ok(passes.length > 10, "axe has looked at the page");
    for (const { id, nodes } of violations) found.push(`${colorScheme}, ${id}: ${nodes.map(({ html }) => html)}`);
  }
  return found;
}
