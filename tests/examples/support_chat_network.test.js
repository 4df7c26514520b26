// The support desk's page without a network, and without a server.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ask, choose, has, kill, open, reads, say, serve, state } from "./support_desk.js";

test("what was said and written while one was offline is there once, by the same session", async (t) => {
  const ada = await ask(t, "ada", "Offline", "Hello?");
  const mia = await open(t, "mia");
  await choose(mia, "Offline");
  await ada.click("#cut");
  await state(ada, "Offline");
  await say(ada, "Written while away.");
  await has(ada, ".waiting .receipt", "Sending…");
  await say(mia, "Said meanwhile.");
  await mia.click("#close");
  await mia.click("#close:has-text('Reopen')");
  await has(mia, "#close", "Close ticket");
  await ada.click("#cut");
  await state(ada, "Live");
  await reads(ada, ["Hello?", "Said meanwhile.", "Written while away."]);
  await reads(mia, ["Hello?", "Said meanwhile.", "Written while away."]);
  assert.equal(ada.sent.filter(({ type }) => type === "connect").length, 2);
  assert.equal(ada.sent.filter(({ method }) => method === "chat.sync").length, 1); // it was resumed
  assert.deepEqual([...ada.faults, ...mia.faults], []);
});

test("a server that was killed is found again, and a sync with the token brings what was missed", async (t) => {
  const bob = await ask(t, "bob", "Killed", "Hello?");
  const sam = await open(t, "sam");
  await choose(sam, "Killed");
  await has(bob, ".receipt", "Read by Sam Okafor");
  await sam.click("#cut");
  await say(bob, "Before.");
  await has(bob, ".receipt", "Sent");
  await kill();
  await state(bob, "Reconnecting");
  await say(bob, "Written to nobody.");
  await say(sam, "So was this.");
  await serve();
  await bob.evaluate(() => dispatchEvent(new Event("online"))); // so as not to wait for as long as the back-off is by now
  await state(bob, "Live");
  await reads(bob, ["Hello?", "Before.", "Written to nobody."]);
  await sam.click("#cut");
  await state(sam, "Live");
  for (const page of [sam, bob]) {
    await reads(page, ["Hello?", "Before.", "Written to nobody.", "So was this."]);
    const [first, second] = page.sent.filter(({ method }) => method === "chat.sync");
    assert.equal(first.params.token, null);
    assert.ok(second.params.token);
  }
  await has(bob, ".receipt", "Read by Sam Okafor");
  await say(sam, "And live again.");
  await reads(bob, ["Hello?", "Before.", "Written to nobody.", "So was this.", "And live again."]);
});
