// The chat's page in a real Chromium, with the stock client, against a real server. Given by test_socketio_chat.py:
// SERVER, PAGES (where examples/ is served), CLIENT (the file that the page would get from the CDN).

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

const require = createRequire(new URL("../browser/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const { SERVER, PAGES, CLIENT } = process.env;
const AXE = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");
let browser;

before(async () => {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
});
after(() => browser.close());

/** A page of its own, with every fault and every strange origin that it met. */
async function open(t, options = {}) {
  const context = await browser.newContext(options);
  t.after(() => context.close());
  context.setDefaultTimeout(20_000);
  await context.route("https://cdn.socket.io/**", (route) => route.fulfill({ path: CLIENT }));
  const page = await context.newPage();
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && page.faults.push(message.text()));
  await page.goto(`${PAGES}/socketio_chat/index.html?server=${SERVER}`);
  return page;
}

async function enter(page, name, room) {
  await page.fill("#name", name);
  await page.press("#name", "Enter");
  await state(page, "connected");
  await page.evaluate((room) => (document.querySelector("nav button").dataset.room = room), room); // one of its own
  await page.click("nav button");
  await page.waitForFunction((room) => document.querySelector("#room").textContent === room, room);
  await page.waitForSelector('section[aria-busy="false"]'); // history and people are there
  await here(page, (people) => people.includes(name));
}

async function say(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

const state = (page, text) =>
  page.waitForFunction((text) => document.querySelector("#status").textContent === text, text);
const lines = (page) => page.locator("#log p span").allTextContents();

async function reads(page, expected) {
  await page.waitForFunction(
    (expected) => {
      const shown = [...document.querySelectorAll("#log p span")].map((each) => each.textContent);
      return JSON.stringify(shown) === JSON.stringify(expected);
    },
    expected,
  ).catch(async (error) => assert.deepEqual(await lines(page), expected, String(error)));
}

async function here(page, is) {
  for (;;) {
    const people = (await page.textContent("#people")).split(", ");
    if (is(people)) return;
    await page.waitForFunction((old) => document.querySelector("#people").textContent !== old, people.join(", "));
  }
}

/** What axe objects to, in both colour schemes. */
async function violations(page) {
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

test("people see each other, what is said, and what was said before they came", async (t) => {
  const ada = await open(t);
  await enter(ada, "Ada", "first");
  await say(ada, "Anybody here?");
  await reads(ada, ["Anybody here?"]);
  const bob = await open(t);
  await enter(bob, "Bob", "first");
  await reads(bob, ["Anybody here?"]);
  await here(ada, (people) => people.includes("Bob"));
  // It is volatile, and may be dropped: as people do, go on typing.
  const typing = () => ada.textContent("#typing");
  for (; (await typing()) !== "Bob is typing"; await bob.waitForTimeout(100)) await bob.type("#text", "<b>");
  await say(bob, "<b>I am.</b>");
  await reads(ada, ["Anybody here?", "<b>I am.</b>"]); // as text, not as HTML
  await bob.click('[data-room="music"]');
  await here(ada, (people) => !people.includes("Bob"));
  await say(ada, "Gone.");
  await reads(ada, ["Anybody here?", "<b>I am.</b>", "Gone."]);
  assert.deepEqual([...ada.faults, ...bob.faults], []);
});

test("what was said while the network was down is shown, and what was written", async (t) => {
  const [ada, bob] = [await open(t), await open(t)];
  await enter(ada, "Ada", "second");
  await enter(bob, "Bob", "second");
  await bob.evaluate(() => {
    document.querySelector("#drop").click();
    document.querySelector("#text").value = "Written while away.";
    document.querySelector("#composer").requestSubmit();
  });
  await say(ada, "Are you there?");
  await ada.waitForFunction(() => document.querySelectorAll("#log p").length === 2);
  await bob.waitForFunction(() => document.querySelectorAll("#log p").length === 3);
  assert.deepEqual((await lines(bob)).sort(), [
    "Are you there?",
    "Written while away.",
    "You were away for a moment. Nothing was missed.",
  ]);
  assert.deepEqual((await lines(bob)).filter((line) => !line.startsWith("You were")), await lines(ada));
  assert.deepEqual(bob.faults, []);
});

test("somebody with a blank name is told why, and comes in with another", async (t) => {
  const page = await open(t);
  await page.fill("#name", " ");
  await page.press("#name", "Enter");
  await page.waitForFunction(() => document.querySelector("#refused").textContent);
  assert.equal(await page.textContent("#refused"), "A name has 1 to 24 characters.");
  assert.deepEqual(await violations(page), []);
  await enter(page, "Ada", "third");
});

for (const [name, width, height] of [
  ["wide", 1280, 900],
  ["phone", 360, 740],
]) {
  test(`${name}: axe objects to nothing, and nothing is cut off`, async (t) => {
    const page = await open(t, { viewport: { width, height } });
    assert.deepEqual(await violations(page), []);
    await enter(page, "Ada", name);
    await say(page, "A long word: " + "o".repeat(200));
    await page.click("#drop");
    await page.waitForFunction(() => document.querySelector("#log .note"));
    assert.deepEqual(await violations(page), []);
    for (const selector of ["body", "section", "#log", "#composer button", "header button"]) {
      const [right, scrolls] = await page.$eval(selector, (it) => [it.getBoundingClientRect().right, it.scrollWidth > it.clientWidth]);
      assert.ok(right <= width && !scrolls, `${selector} ends at ${right}`);
    }
  });
}
