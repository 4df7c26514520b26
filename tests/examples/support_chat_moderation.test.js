// The support desk's page: reports and the review queue.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ask, choose, has, open, say, shot, violations } from "./support_desk.js";

for (const [name, options] of [
  ["wide", { viewport: { width: 1280, height: 800 } }],
  ["phone", { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true }],
]) {
  test(`${name}: what is reported is claimed, decided and told`, async (t) => {
    const press = (page, selector) => (options.hasTouch ? page.tap(selector) : page.click(selector));
    const eve = await ask(t, `rude${name}`, `Rude ${name}`, "You are all fools!", options);
    const [sam, mia] = [await open(t, "sam", options), await open(t, "mia", options)];
    await choose(sam, `Rude ${name}`);
    await sam.hover("#log article:first-child");
    await press(sam, '#log article:first-child [data-do="report"]');
    await sam.selectOption("#reason", "abuse");
    await sam.fill("#note", "Not for the first time.");
    await shot(sam, `report-${name}`);
    assert.deepEqual(await violations(sam), []);
    await press(sam, "#report .primary");
    await has(sam, "#told", "Thank you.");
    await has(mia, "#queue-count", "1"); // live
    await press(mia, "#queue");
    await has(mia, ".case blockquote", "You are all fools!");
    await shot(mia, `queue-${name}`);
    await press(mia, ".case [data-do=claim]");
    await has(mia, ".case", "Sam Okafor: abuse — Not for the first time.");
    if (name === "phone") await press(sam, "#ticket .back");
    await press(sam, "#queue");
    await has(sam, ".case", "Mia Lindqvist has claimed it.");
    assert.equal(await sam.locator('.case [data-do^="decide"]').count(), 0);
    await mia.fill(".case input", "Be kind, please.");
    assert.deepEqual(await violations(mia), []);
    await shot(mia, `claimed-${name}`);
    const { scroll, width } = await mia.evaluate(() => ({ scroll: document.body.scrollWidth, width: innerWidth }));
    assert.ok(scroll <= width, "nothing is cut off");
    await press(mia, '.case [data-do="decide mute"]');
    await has(eve, "#told", "Be kind, please.");
    await has(mia, "#restricted", `Rude${name} is muted in Rude ${name}`);
    await has(mia, "#no-cases", "Nothing waits");
    await has(sam, "#told", "Something was done");
    await say(eve, "Why?");
    await has(eve, ".receipt", "Not sent:");
    await shot(eve, `muted-${name}`);
    await shot(mia, `restricted-${name}`);
    await press(mia, "#restricted button");
    await has(eve, "#told", "You may write again.");
    await say(eve, "Sorry.");
    await has(eve, "#log article:not(.waiting) .text", "Sorry.");
    assert.deepEqual([...eve.faults, ...sam.faults, ...mia.faults], []);
  });
}
