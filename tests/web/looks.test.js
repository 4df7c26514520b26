// axe finds nothing serious in any view, wide and narrow, left to right and right to left.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, Server, Window } from "./harness.js";

let server, browser, design;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
  await server.user("ada", "Ada Lovelace");
  await server.user("bob", "Bob Marsh");
  design = await server.conversation("bob", "group", "Design", ["ada"], { topic: "How it looks" });
  await server.conversation("bob", "topic", "music", [], { topic: "Songs" });
  await server.say("bob", design, "Good **morning**");
  await server.say("bob", await server.direct("bob", "ada"), "Lunch?");
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

async function open(t, at, options) {
  const window = await Window.of(browser, server, "ada", { at, ...options });
  t.after(() => window.close());
  return window;
}

test("signing in", async (t) => {
  const window = await Window.open(browser, server, "");
  t.after(() => window.close());
  await window.page.getByText("Who do you want to be?").waitFor();
  await window.assertAccessible("signing in");
});

for (const [name, options] of [
  ["wide", {}],
  ["right to left", { settings: { direction: "rtl" } }],
  ["compact", { settings: { density: "compact" } }],
]) {
  test(`the list, dialogs and menus, ${name}`, async (t) => {
    const window = await open(t, "", options);
    const { page } = window;
    const colours = { dark: name === "wide" }; // they are the same in all three
    await window.row("Design").waitFor();
    await window.assertAccessible("the list", colours);
    await page.keyboard.press("Control+k");
    await page.getByRole("option").first().waitFor();
    await window.assertAccessible("the palette", colours);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "New conversation" }).click();
    await page.getByRole("textbox", { name: "Name" }).waitFor();
    await window.assertAccessible("a new conversation", colours);
    await page.keyboard.press("Escape");
    await window.row("Design").click({ button: "right" });
    await page.getByRole("menu").waitFor();
    await window.assertAccessible("a menu", colours);
    await page.keyboard.press("Escape");
  });
}

test("on a phone one part is seen, and one comes back from each", async (t) => {
  const window = await open(t, "", PHONE);
  const { page } = window;
  await window.row("Design").waitFor();
  await window.assertAccessible("the list on a phone");
  await window.row("Design").tap();
  await page.getByRole("heading", { name: "Design" }).waitFor();
  assert.equal(await window.row("Design").isVisible(), false);
  await window.assertAccessible("a conversation on a phone");
  await page.getByRole("button", { name: "Details" }).tap();
  await page.getByRole("complementary").waitFor();
  assert.equal(await page.getByRole("main").isVisible(), false);
  await page.goBack();
  await page.getByRole("link", { name: "Back to the conversations" }).tap();
  await window.row("Design").waitFor();
  const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.equal(widths[0], widths[1], "nothing hangs over the edge");
  const small = await page.evaluate(() =>
    [...document.querySelectorAll("button, a")]
      .filter((each) => each.offsetWidth > 0 && each.offsetHeight < 32)
      .map((each) => each.outerHTML.slice(0, 80)),
  );
  assert.deepEqual(small, [], "what is touched is large enough");
});

test("with reduced motion another theme is there at once, whole", async (t) => {
  const window = await open(t, `#/c/${design}/members`);
  const { page } = window;
  await page.getByRole("article").first().waitFor();
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  // What else comes meanwhile may have a colour of its own: one change that is seen whole will do.
  const change = () =>
    page.evaluate(async () => {
      const all = [...document.body.querySelectorAll("*")];
      const colours = () => all.map((each) => `${getComputedStyle(each).color} ${getComputedStyle(each).backgroundColor}`);
      colours();
      const { dataset } = document.documentElement;
      dataset.theme = dataset.theme === "dark" ? "light" : "dark";
      const first = colours();
      const moving = document.getAnimations().filter((each) => each instanceof CSSTransition).length;
      for (let frame = 0; frame < 2; frame++) await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      return { moving, late: colours().filter((each, at) => each !== first[at]).length };
    });
  await window.becomes(change, { moving: 0, late: 0 });
});
