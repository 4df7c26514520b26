// The support desk's page by keyboard, for axe, and at the width of a phone.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ask, choose, has, open, reads, say, violations } from "./support_desk.js";

test("with the keyboard alone", async (t) => {
  const cleo = await open(t, "cleo");
  await cleo.waitForFunction(() => document.activeElement.id === "subject");
  await cleo.keyboard.type("Keys");
  await cleo.keyboard.press("Tab");
  await cleo.keyboard.type("No mouse here.");
  await cleo.keyboard.press("Tab");
  await cleo.keyboard.press("Enter");
  await reads(cleo, ["No mouse here."]);
  await cleo.keyboard.type("One line");
  await cleo.keyboard.press("Shift+Enter");
  await cleo.keyboard.type("and another.");
  await cleo.keyboard.press("Enter");
  await reads(cleo, ["No mouse here.", "One line\nand another."]);
  for (let n = 0; n < 2; n++) await cleo.keyboard.press("Shift+Tab"); // back over Reply in thread
  await cleo.keyboard.press("Enter");
  await has(cleo, '.chip[aria-pressed="true"]', "🎉 1");
  assert.equal(await cleo.evaluate(() => document.activeElement.dataset.do), "react 🎉"); // drawn anew, and still there
  await cleo.keyboard.press("Enter");
  await cleo.locator(".chip").waitFor({ state: "detached" });
  assert.deepEqual(cleo.faults, []);
});

test("who says no name chooses one", async (t) => {
  const page = await open(t, "");
  assert.deepEqual(await violations(page), []);
  await page.click("text=Mia, of the team"); // it goes to the server of the README
  await page.waitForURL(/as=mia/);
});

for (const [name, options] of [
  ["wide", { viewport: { width: 1280, height: 800 } }],
  ["phone", { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true }],
]) {
  test(`${name}: axe objects to nothing, and nothing is cut off`, async (t) => {
    const subject = `${name} ${"o".repeat(90)}`;
    const eve = await ask(t, `eve${name}`, subject, `A long word: ${"o".repeat(200)}`, options);
    const sam = await open(t, "sam", options);
    const whole = async (page) => {
      assert.deepEqual(await violations(page), []);
      const { width } = options.viewport;
      for (const selector of ["body", ".top", "nav", ".pane", ".log", ".pane > header", ".composer", "header button", ".composer button"])
        for (const it of await page.locator(selector).all()) {
          if (!(await it.isVisible())) continue;
          const [right, scrolls] = await it.evaluate((it) => [it.getBoundingClientRect().right, it.scrollWidth > it.clientWidth + 1]);
          assert.ok(right <= width + 1 && !scrolls, `${selector} ends at ${right}`);
        }
    };
    await has(sam, "#tickets .badge", "1");
    await whole(sam);
    await choose(sam, subject);
    await say(sam, "Indeed.");
    await reads(eve, [`A long word: ${"o".repeat(200)}`, "Indeed."]);
    await eve.hover("#log article:last-child");
    await eve.click('#log article:last-child [data-do^="react"]');
    await has(sam, ".chip", "1");
    await whole(sam);
    await eve.click('#log article:last-child [data-do="thread"]');
    await say(eve, "A reply.", "#reply");
    await reads(eve, ["Indeed.", "A reply."], "#replies");
    await whole(eve);
    await eve.click('[data-do="unthread"]');
    await eve.locator("#thread").waitFor({ state: "hidden" });
    await say(sam, "And more.");
    await has(eve, "#log article:last-child", "And more.");
    await (options.hasTouch ? eve.tap(".replies") : eve.click(".replies")); // nothing moves away under the finger
    await eve.locator("#thread").waitFor();
    await whole(eve);
    await sam.click("#close");
    await has(sam, "#closed", "closed");
    await whole(sam);
    if (name === "phone") await sam.click("#ticket .back");
    await sam.type("#query", "indeed");
    await has(sam, "#hits mark", "Indeed");
    await whole(sam);
    assert.deepEqual([...eve.faults, ...sam.faults], []);
  });
}
