// Two clients in one channel: they see each other, and what was lost on the way.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, Playground, Server } from "./harness.js";

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function playground(t, channel) {
  const opened = await Playground.open(browser, server.url);
  t.after(() => opened.close());
  await opened.enter(channel);
  return opened;
}

test("a message reaches both clients, with its offset", async (t) => {
  const page = await playground(t, "talk");
  const { left, right } = page;
  await left.say("hello bob");
  await right.reads("hello bob");
  await right.say("hello alice");
  await left.reads("hello bob", "hello alice");
  await right.reads("hello bob", "hello alice");
  await left.shows("[data-offset]", ["#1", "#2"]);
  await left.shows("[data-sender]", ["alice", "bob"]);
  page.assertClean(server.url);
});

test("what was missed comes back once, in order, and is marked", async (t) => {
  const page = await playground(t, "drop");
  const { left, right } = page;
  await left.say("before");
  await right.reads("before");
  await right.network.click();
  await right.state("Offline · network dropped");
  for (const text of ["one", "two", "three"]) await left.say(text);
  await left.reads("before", "one", "two", "three");
  await right.reads("before");
  await right.network.click();
  await right.state("Live · recovered 3 missed");
  await right.reads("before", "one", "two", "three");
  await right.shows("[data-tone=good][data-entry]", ["Recovered 3 missed messages"]);
  await right.shows("[data-recovered] [data-offset]", ["#2", "#3", "#4"]);
  await left.say("after");
  await right.reads("before", "one", "two", "three", "after");
  await right.shows("[data-recovered] [data-offset]", ["#2", "#3", "#4"]);
  page.assertClean(server.url);
});

for (const transport of ["SSE + POST", "Long-poll + POST"]) {
  test(`over ${transport} it is the same session`, async (t) => {
    const page = await playground(t, `over-${transport.slice(0, 3)}`);
    const { left, right } = page;
    await left.say("over a WebSocket");
    await right.reads("over a WebSocket");
    await right.transport.selectOption(transport);
    await right.state("Live · nothing missed");
    await left.say("to you");
    await right.say("and back");
    await left.reads("over a WebSocket", "to you", "and back");
    await right.reads("over a WebSocket", "to you", "and back");
    await right.network.click();
    await left.say("missed");
    await left.reads("over a WebSocket", "to you", "and back", "missed");
    await right.network.click();
    await right.state("Live · recovered 1 missed");
    await right.reads("over a WebSocket", "to you", "and back", "missed");
    await right.sees("alice", "bob");
    await right.rename("carol"); // over the same transport, as somebody new
    await left.sees("alice", "carol");
    await left.say("for carol");
    await right.reads("for carol");
    page.assertClean(server.url);
  });
}

test("a message written offline waits, and is published once after the return", async (t) => {
  const page = await playground(t, "queue");
  const { left, right } = page;
  await right.network.click();
  await right.say("from the tunnel");
  await right.shows("[data-entry=waiting] [data-tag]", ["waiting"]);
  await left.reads();
  await right.network.click();
  await right.state("Live · nothing missed");
  await left.reads("from the tunnel");
  await right.reads("from the tunnel");
  await right.shows("[data-entry=waiting]", []);
  page.assertClean(server.url);
});

test("presence follows who comes, goes, and is called what", async (t) => {
  const page = await playground(t, "presence");
  const { left, right } = page;
  await right.network.click();
  await right.sees();
  await left.sees("alice"); // when the grace for short breaks is over
  await right.network.click();
  await left.sees("alice", "bob");
  await right.sees("alice", "bob");
  await right.rename("carol");
  await left.sees("alice", "carol");
  await right.sees("alice", "carol");
  page.assertClean(server.url);
});

test("earlier messages can be asked for", async (t) => {
  const first = await playground(t, "history");
  await first.left.say("one");
  await first.left.say("two");
  await first.right.reads("one", "two");
  const second = await playground(t, "history");
  await second.left.reads();
  await second.left.press("Show 2 earlier messages");
  await second.left.reads("one", "two");
});

test("another channel is another conversation", async (t) => {
  const page = await playground(t, "here");
  await page.left.say("in here");
  await page.right.reads("in here");
  await page.enter("there");
  await page.right.reads();
  await page.right.say("in there");
  await page.left.reads("in there");
  assert.match(await page.page.getByRole("group", { name: "Command to publish with curl" }).innerText(), /"channel": "there"/);
});
