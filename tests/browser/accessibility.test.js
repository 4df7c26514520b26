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

async function violations(page) {
  const { passes, violations } = await page.evaluate(() => globalThis.axe.run());
  assert.ok(passes.length > 20, "axe has looked at the page");
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
}

for (const colorScheme of ["light", "dark"]) {
  for (const [name, viewport] of [
    ["wide", { width: 1280, height: 900 }],
    ["narrow", { width: 360, height: 740 }],
  ]) {
    test(`${colorScheme}, ${name}`, async (t) => {
      const { context, page, left, right } = await Playground.open(browser, server.url, { colorScheme, viewport });
      t.after(() => context.close());
      const narrow = name === "narrow";
      const show = (at) => narrow && page.locator(`#tab-${at}`).click();
      await left.state("Live");
      await page.fill("#channel", `axe-${colorScheme}-${name}`);
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
}
