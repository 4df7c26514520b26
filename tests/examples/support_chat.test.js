// The support desk's page: tickets, threads, reactions, receipts, search.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ask, choose, has, open, reads, say, texts } from "./support_desk.js";

test("a ticket from its first word to its end, on both sides", async (t) => {
  const sam = await open(t, "sam");
  const carla = await ask(t, "carla", "Charged twice", "Hello, I was charged twice.");
  await has(sam, "#tickets .row", "Charged twice");
  await has(sam, "#tickets .badge", "1 unread");
  assert.match(await sam.title(), /^\(1\)/);
  await has(carla, ".receipt", "Delivered");
  await choose(sam, "Charged twice");
  await has(carla, ".receipt", "Read by Sam Okafor");
  await has(carla, ".person:has([data-there=online])", "Sam Okafor");
  await has(carla, ".person:has([data-there=offline])", "Mia Lindqvist");
  await sam.locator(".badge").waitFor({ state: "detached" });

  await sam.type("#message", "<img src=x onerror=alert(1)>");
  await has(carla, "#typing", "Sam Okafor is typing");
  await sam.press("#message", "Enter");
  await reads(carla, ["Hello, I was charged twice.", "<img src=x onerror=alert(1)>"]);
  assert.equal(await carla.locator("#log img").count(), 0);
  assert.equal(await carla.textContent("#typing"), "");
  assert.equal(await carla.textContent("#said"), "Sam Okafor: <img src=x onerror=alert(1)>");

  await carla.hover("#log article:last-child");
  await carla.click('#log article:last-child [data-do="react 🎉"]');
  await has(sam, ".chip", "🎉 1");
  assert.equal(await sam.getAttribute(".chip", "aria-label"), "🎉 1, hooray: Carla Reyes");
  await sam.click(".chip");
  await has(carla, '.chip[aria-pressed="true"]', "🎉 2");
  await carla.click(".chip");
  await has(sam, '.chip[aria-pressed="true"]', "🎉 1");

  await carla.click('#log article:last-child [data-do="thread"]');
  await say(carla, "What is that?", "#reply");
  await has(sam, ".replies", "1 reply1 new");
  await sam.click(".replies");
  await reads(sam, ["<img src=x onerror=alert(1)>", "What is that?"], "#replies");
  await say(sam, "A joke.", "#reply");
  await reads(carla, ["<img src=x onerror=alert(1)>", "What is that?", "A joke."], "#replies");
  await reads(carla, ["Hello, I was charged twice.", "<img src=x onerror=alert(1)>"]);
  await has(sam, ".replies", /^2 replies$/);
  await sam.keyboard.press("Escape");
  await sam.locator("#thread").waitFor({ state: "hidden" });

  await carla.evaluate(async () => { // the page has no buttons for what other clients do
    const { call } = await import("./asking.js");
    const { current } = await import("./desk.js");
    const [first] = current().messages.values();
    const message = { conversation: current().id, message: first.seq };
    await call("messages.edit", { ...message, parts: [{ type: "text", text: "Hello, I was charged thrice." }] });
  });
  await reads(sam, ["Hello, I was charged thrice.", "<img src=x onerror=alert(1)>"]);
  await has(sam, "#log article:first-child header", "edited");
  await sam.evaluate(async () => {
    const { call } = await import("./asking.js");
    const { current } = await import("./desk.js");
    const message = [...current().messages.values()].find((each) => each.reactions?.length);
    await call("messages.delete", { conversation: current().id, message: message.seq });
  });
  await reads(carla, ["Hello, I was charged thrice.", "This message was deleted."]);
  await carla.locator("#log .chip").waitFor({ state: "detached" });

  await sam.click("#close");
  await has(carla, "#closed", "This ticket is closed.");
  assert.ok(await carla.locator(".composer").first().isHidden());
  await has(carla, "#tickets .tag", "Closed");
  await sam.click("#close:has-text('Reopen')");
  await carla.locator("#ticket .composer").waitFor();
  assert.deepEqual([...sam.faults, ...carla.faults], []);
});

test("a search leads to the message, in an old page or in a thread, and back to the newest", async (t) => {
  const tom = await ask(t, "tom", "A long story", "Once upon a time there was a zeppelin.");
  for (let n = 1; n <= 45; n++) await say(tom, `And then ${n}.`);
  await has(tom, "#log article:last-child .receipt", "Sent");
  await tom.hover("#log article:last-child");
  await tom.click('#log article:last-child [data-do="thread"]');
  await say(tom, "A reply about a submarine.", "#reply");
  const sam = await open(t, "sam");
  await choose(sam, "A long story");
  await has(sam, "#log article:last-child", "And then 45.");

  await sam.type("#query", "zepp"); // while it is being typed
  await has(sam, "#hits .row mark", "zeppelin");
  await sam.click("#hits .row");
  await has(sam, "#log .found", "zeppelin");
  assert.ok(await sam.locator("#log .found").evaluate((it) => it === document.activeElement));
  await sam.evaluate(async () => { // the page is slow to come, and is older than what comes meanwhile
    const asking = await import("./asking.js");
    const { call } = asking;
    const late = new Promise((go) => (globalThis.answer = go));
    const slow = (method) => method === "chat.messages.list" && late;
    asking.use({ call: async (method, ...rest) => [await call(method.slice(5), ...rest), await slow(method)][0] });
  });
  await sam.click("#newest");
  await sam.waitForFunction(() => import("./desk.js").then(({ current }) => current().paging && true));
  const arrived = sam.socket.waitForEvent("framereceived", ({ payload }) => payload.includes("Are you reading?"));
  await say(tom, "Are you reading?");
  await arrived;
  await sam.evaluate(() => globalThis.answer());
  await has(sam, "#log article:last-child", "Are you reading?");
  assert.ok(!(await texts(sam)).some((text) => text.includes("zeppelin")));
  while (await sam.locator("#older").isVisible()) {
    const first = (await texts(sam))[0];
    await sam.click("#older");
    await sam.waitForFunction((first) => document.querySelector("#log .text").innerText !== first, first);
  }
  assert.equal((await texts(sam)).length, 47);

  await sam.fill("#query", "submarine");
  await has(sam, "#hits .row", "in a thread");
  await sam.press("#query", "Enter");
  await has(sam, "#replies .found", "submarine");
  await sam.fill("#query", "nothing like it");
  await has(sam, "#none", "Nothing was found.");
  await sam.fill("#query", "");
  await sam.locator("#tickets").waitFor();
  assert.deepEqual([...sam.faults, ...tom.faults], []);
});
