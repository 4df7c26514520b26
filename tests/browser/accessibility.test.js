// axe-core finds nothing to object to: light and dark, wide and narrow, fresh, in use and offline.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { launchBrowser, Playground, Server } from "./harness.js";

const AXE = await readFile(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** What axe objects to, in both colour schemes. */
async function violations(page) {
  const found = [];
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    const { passes, violations } = await page.evaluate(() => globalThis.axe.run());
    assert.ok(passes.length > 20, "axe has looked at the page");
    for (const { id, nodes } of violations) {
      found.push(`${colorScheme}, ${id}: ${nodes.map((node) => node.html).join(" ")}`);
    }
  }
  return found;
}

for (const [name, viewport] of [
  ["wide", { width: 1280, height: 900 }],
  ["narrow", { width: 360, height: 740 }],
]) {
  test(name, async (t) => {
    const { context, page, left, right } = await Playground.open(browser, server.url, { viewport });
    t.after(() => context.close());
    const show = (at) => name === "narrow" && page.locator(`#tab-${at}`).click();
    await left.state("Live");
    await page.fill("#channel", `axe-${name}`);
    await page.press("#channel", "Enter");
    await left.sees("alice", "bob");
    await page.evaluate(AXE);
    assert.deepEqual(await violations(page), []);

    await left.say("hello");
    await left.reads("hello");
    await show(1);
    await right.reads("hello");
    await right.press(".drop");
    await right.say("later");
    await show(0);
    await left.say("missed");
    await show(1);
    assert.deepEqual(await violations(page), []);

    await right.press(".drop");
    await right.state("Live · recovered 1 missed");
    await right.press(".inspector > summary");
    await right.find(".frame-row").first().click();
    assert.deepEqual(await violations(page), []);
  });
}
