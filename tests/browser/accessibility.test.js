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
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
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
    const playground = await Playground.open(browser, server.url, { viewport });
    const { context, page, left, right } = playground;
    t.after(() => context.close());
    const show = (at) => name === "narrow" && page.locator(`#client-tab-${at}`).click();
    await left.state("Live");
    await playground.go(`axe-${name}`);
    await left.sees("alice", "bob");
    await page.evaluate(AXE);
    assert.deepEqual(await violations(page), []);

    await left.say("hello");
    await left.reads("hello");
    await show(1);
    await right.reads("hello");
    await right.network.click();
    await right.say("later");
    await show(0);
    await left.say("missed");
    await show(1);
    assert.deepEqual(await violations(page), []);

    await right.network.click();
    await right.state("Live · recovered 1 missed");
    await right.open("commands");
    await right.send("Call a method", { Method: "nothing.here" });
    await right.answer("method_not_found");
    await right.open("frames");
    await right.find("[data-frame] summary").first().click();
    assert.deepEqual(await violations(page), []);
  });
}
