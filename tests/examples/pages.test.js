// The examples' pages in a real Chromium, against a real server: each of the three ways catches up after a break.
// Given by test_pages.py: SERVER, PAGES (where examples/ is served), ADA (a token), API_KEY.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

const { chromium } = createRequire(new URL("../browser/package.json", import.meta.url))("playwright-core");
const { SERVER, PAGES, ADA, API_KEY } = process.env;
let browser;

before(async () => {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
});
after(() => browser.close());

async function open(path) {
  const page = await browser.newPage();
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(String(error)));
  await page.goto(`${PAGES}/${path}#${ADA}`);
  return page;
}

async function publish(channel, data) {
  const answer = await fetch(`${SERVER}/v1/publish`, {
    method: "POST",
    headers: { Authorization: `Bearer ${API_KEY}`, "Content-Type": "application/json" },
    body: JSON.stringify({ channel, data, event: "order.updated" }),
  });
  assert.equal(answer.status, 200, await answer.text());
}

const state = (page, text) => page.waitForFunction((it) => document.querySelector("#state").value.startsWith(it), text);
const rows = (page, count) => page.waitForFunction((n) => document.querySelectorAll("#rows tr").length === n, count);

test("the board shows orders, and those missed while the network was down", async () => {
  const page = await open(`order_board/board.html?server=${SERVER.replace("http", "ws")}/v1/ws`);
  await state(page, "live: new session");
  await page.click("#add");
  await rows(page, 1);
  await page.click("#drop");
  await publish("orders:eu", { id: "<b>missed</b>", region: "eu", price: 1, state: "new" });
  await state(page, "live: resumed");
  await rows(page, 2);
  assert.match(await page.textContent("#rows"), /<b>missed<\/b>/); // as text, not as HTML
  assert.deepEqual(page.faults, []);
});

test("the board stops when the server does not want it back", async () => {
  const page = await open(`order_board/board.html?server=${SERVER.replace("http", "ws")}/v1/ws`);
  await state(page, "live");
  await fetch(`${SERVER}/v1/users/ada/disconnect`, {
    method: "POST",
    headers: { Authorization: `Bearer ${API_KEY}`, "Content-Type": "application/json" },
    body: "{}",
  });
  await state(page, "ended");
});

test("all three ways show each publication once and in order, over a break", async () => {
  const page = await open(`browser_plain/index.html?server=${SERVER}`);
  const shown = (n) =>
    page.waitForFunction(
      (lines) => ["websocket", "sse", "poll"].every((id) => document.getElementById(id).textContent === lines),
      Array.from({ length: n }, (_, i) => `${i + 1} ${i + 1}\n`).join(""),
    );
  await page.waitForFunction(() => window.drop);
  while ((await subscribers("lobby")) < 3);
  await publish("lobby", 1);
  await publish("lobby", 2);
  await shown(2);
  await page.evaluate(() => window.drop());
  await publish("lobby", 3);
  await shown(3);
  await publish("lobby", 4);
  await shown(4);
  assert.deepEqual(page.faults, []);
});

async function subscribers(channel) {
  const answer = await fetch(`${SERVER}/v1/channels/${channel}`, { headers: { Authorization: `Bearer ${API_KEY}` } });
  return (await answer.json()).subscribers;
}
