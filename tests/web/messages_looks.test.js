// axe finds nothing serious in messages and where one writes: wide, on a phone, right to left.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, Server, Window } from "./harness.js";

let server, browser, group;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
  await server.user("ada", "Ada Lovelace");
  await server.user("bob", "Bob Marsh");
  group = await server.conversation("bob", "group", "Design", ["ada"]);
  const said = await server.say("bob", group, "Good **morning** @ada\n\n- one\n- two\n\n```js\ncode()\n```", { mentions: { users: ["ada"] } });
  await server.say("ada", group, "An answer, https://example.org/", { reply_to: said.seq });
  await server.say("ada", group, "In a thread", { thread: said.seq });
  await server.call("PUT", `/conversations/${group}/messages/${said.seq}/reactions/${encodeURIComponent("🎉")}`, {}, "ada");
  const poll = { type: "poll", question: "When?", options: [{ text: "Now" }, { text: "Later" }] };
  const checklist = { type: "checklist", title: "To do", items: [{ text: "Cake" }] };
  await server.call("POST", `/conversations/${group}/messages`, { parts: [poll, checklist] }, "bob");
  const gone = await server.say("bob", group, "Not for long");
  await server.call("DELETE", `/conversations/${group}/messages/${gone.seq}?for=all`, undefined, "bob");
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

for (const [name, options] of [
  ["wide", {}],
  ["on a phone", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }],
  ["right to left", { settings: { direction: "rtl" } }],
]) {
  test(`messages and composer, ${name}`, async (t) => {
    const window = await Window.open(browser, server, `?as=ada#/c/${group}`, options);
    t.after(() => window.close());
    const { page } = window;
    const field = page.getByRole("textbox", { name: /^Message / });
    await page.getByRole("article").filter({ hasText: "An answer" }).click();
    await page.getByRole("toolbar", { name: "What can be done with this message" }).waitFor();
    await field.fill("Some **words**");
    await window.assertAccessible("messages and composer", { dark: name === "wide" }); // the same colours in all three
    const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.equal(widths[0], widths[1], "nothing hangs over the edge");
    window.assertClean();
    if (name !== "wide") return;
    await page.getByRole("button", { name: "Emoji", exact: true }).click();
    await page.getByRole("textbox", { name: "Search emoji" }).waitFor();
    await window.assertAccessible("emoji");
  });
}
