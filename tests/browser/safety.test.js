// What people send stays text; the page talks to its own server only, and works with the keyboard.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, Playground, Server } from "./harness.js";

const HOSTILE = `<img src=x onerror="alert(1)"><script>alert(2)</script>`;

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function playground(t, channel, options) {
  const opened = await Playground.open(browser, server.url, options);
  t.after(() => opened.close());
  if (channel) await opened.enter(channel);
  return opened;
}

test("markup in names, events and data stays text", async (t) => {
  const page = await playground(t, "hostile");
  const { left, right } = page;
  const name = HOSTILE.slice(0, 64);
  await left.open("commands");
  await right.open("frames");
  await left.rename(name);
  await right.sees(name, "bob");
  await left.state("Live");
  await left.sendRaw({ type: "publish", channel: "hostile", event: HOSTILE, data: { [HOSTILE]: [HOSTILE] } });
  await right.shows("[data-event]", [HOSTILE]);
  await left.say(HOSTILE);
  await right.reads(JSON.stringify({ [HOSTILE]: [HOSTILE] }, null, 2), HOSTILE);
  await right.shows("[data-sender]", [name, name]);
  await right.find("[data-frame] summary").last().click();
  assert.match(await right.find("[data-frame] pre").last().innerText(), /onerror/);
  assert.equal(await page.page.locator("[data-client] img, [data-client] script").count(), 0);
  page.assertClean(server.url);
});

test("a policy violation and markup from a string would be noticed", async (t) => {
  const page = await playground(t, "noticed");
  const outcome = await page.page.evaluate(() => {
    try {
      document.createElement("p").innerHTML = "<b>x</b>";
      return "made";
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(outcome, "TypeError");
  assert.ok(page.faults.length > 0);
});

test("a conversation needs no mouse", async (t) => {
  const page = await playground(t, "keys");
  await page.left.field.focus();
  await page.page.keyboard.type("typed");
  await page.page.keyboard.press("Enter");
  await page.right.reads("typed");
  await page.left.network.focus();
  await page.page.keyboard.press("Space");
  await page.left.state("Offline · network dropped");
  await page.page.keyboard.press("Space");
  await page.left.state("Live · nothing missed");
  await page.left.find("[data-fold=frames] > summary").focus();
  await page.page.keyboard.press("Enter");
  await page.left.find("[data-frame] summary").first().focus();
  await page.page.keyboard.press("Enter");
  await page.left.find("[data-frame] pre").first().waitFor();
});

test("on a phone the clients are tabs, and nothing is wider than the screen", async (t) => {
  const page = await playground(t, null, { viewport: { width: 360, height: 740 } });
  const { left, right } = page;
  await left.state("Live");
  await page.go("phone");
  await left.sees("alice", "bob");
  assert.equal(await right.root.isVisible(), false);
  await left.say("are you there?");
  await page.page.getByRole("tab", { name: "bob 1 new message" }).waitFor();
  await page.page.locator("#client-tab-0").focus();
  await page.page.keyboard.press("ArrowRight");
  await right.reads("are you there?");
  assert.equal(await left.root.isVisible(), false);
  assert.equal(await page.page.getByRole("tab", { name: "bob", exact: true }).count(), 1);
  await right.open("frames");
  const { scrollWidth, clientWidth } = await page.page.evaluate(() => document.scrollingElement);
  assert.equal(scrollWidth, clientWidth);
  page.assertClean(server.url);
});

test("a chosen theme is kept", async (t) => {
  const page = await playground(t, null, { colorScheme: "light" });
  const background = () => page.page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await background();
  await page.page.getByRole("button", { name: "Theme: system" }).click();
  await page.page.getByRole("button", { name: "Theme: light" }).click();
  const dark = await background();
  assert.notEqual(dark, light);
  await page.page.reload();
  await page.page.getByRole("button", { name: "Theme: dark" }).waitFor();
  assert.equal(await background(), dark);
});
