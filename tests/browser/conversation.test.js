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
  await left.shows(".message-offset", ["#1", "#2"]);
  await left.shows(".message-sender", ["alice", "bob"]);
  page.assertClean(server.url);
});

test("what was missed comes back once, in order, and is marked", async (t) => {
  const page = await playground(t, "drop");
  const { left, right } = page;
  await left.say("before");
  await right.reads("before");
  await right.press(".drop");
  await right.state("Offline · network dropped");
  for (const text of ["one", "two", "three"]) await left.say(text);
  await left.reads("before", "one", "two", "three");
  await right.reads("before");
  await right.press(".drop");
  await right.state("Live · recovered 3 missed");
  await right.reads("before", "one", "two", "three");
  await right.shows(".divider", ["Recovered 3 missed messages"]);
  await right.shows(".message.recovered .message-offset", ["#2", "#3", "#4"]);
  await left.say("after");
  await right.reads("before", "one", "two", "three", "after");
  await right.shows(".message.recovered .message-offset", ["#2", "#3", "#4"]);
  page.assertClean(server.url);
});

for (const transport of ["SSE + POST", "Long-poll + POST"]) {
  test(`over ${transport} it is the same session`, async (t) => {
    const page = await playground(t, `over-${transport.slice(0, 3)}`);
    const { left, right } = page;
    await left.say("over a WebSocket");
    await right.reads("over a WebSocket");
    await right.find(".transport").selectOption(transport);
    await right.state("Live · nothing missed");
    await left.say("to you");
    await right.say("and back");
    await left.reads("over a WebSocket", "to you", "and back");
    await right.reads("over a WebSocket", "to you", "and back");
    await right.press(".drop");
    await left.say("missed");
    await left.reads("over a WebSocket", "to you", "and back", "missed");
    await right.press(".drop");
    await right.state("Live · recovered 1 missed");
    await right.reads("over a WebSocket", "to you", "and back", "missed");
    await right.sees("alice", "bob");
    await right.find(".name-input").fill("carol"); // over the same transport, as somebody new
    await right.find(".name-input").press("Enter");
    await left.sees("alice", "carol");
    await left.say("for carol");
    await right.reads("for carol");
    page.assertClean(server.url);
  });
}

test("a message written offline waits, and is published once after the return", async (t) => {
  const page = await playground(t, "queue");
  const { left, right } = page;
  await right.press(".drop");
  await right.say("from the tunnel");
  await right.shows(".message.pending .message-tag", ["waiting"]);
  await left.reads();
  await right.press(".drop");
  await right.state("Live · nothing missed");
  await left.reads("from the tunnel");
  await right.reads("from the tunnel");
  await right.shows(".message.pending", []);
  page.assertClean(server.url);
});

test("presence follows who comes, goes, and is called what", async (t) => {
  const page = await playground(t, "presence");
  const { left, right } = page;
  await right.press(".drop");
  await right.sees();
  await left.sees("alice"); // when the grace for short breaks is over
  await right.press(".drop");
  await left.sees("alice", "bob");
  await right.sees("alice", "bob");
  await right.find(".name-input").fill("carol");
  await right.find(".name-input").press("Enter");
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
  await second.left.press(".earlier");
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
  assert.match(await page.page.locator("#curl").innerText(), /"channel": "there"/);
});

test("frames can be seen, filtered, paused, opened and cleared", async (t) => {
  const page = await playground(t, "frames");
  const { left } = page;
  await left.press(".inspector > summary");
  await left.say("seen");
  await left.reads("seen");
  await left.find(".frame-filter").selectOption("publication");
  await left.shows(".frame-type", ["publication"]);
  await left.press(".frame-row");
  assert.match(await left.find(".frame-json").innerText(), /"text": "seen"/);
  await left.press(".pause");
  await left.say("not shown yet");
  await left.reads("seen", "not shown yet");
  await left.shows(".frame-type", ["publication"]);
  await left.press(".pause");
  await left.shows(".frame-type", ["publication", "publication"]);
  await left.press(".clear");
  await left.shows(".frame-type", []);
  await left.send({ type: "history", channel: "frames", limit: 1 });
  await left.find(".frame-filter").selectOption("result");
  await left.shows(".frame-note", ["1 publication"]);
  await left.send({ type: "nonsense" });
  await left.find(".raw-error").filter({ hasText: /nonsense/ }).waitFor();
});

test("the token and the session's secret are not shown", async (t) => {
  const page = await playground(t, "secrets");
  const { left } = page;
  await left.press(".inspector > summary");
  for (const type of ["connect", "connected"]) {
    await left.find(".frame-filter").selectOption(type);
    await left.press(".frame-row");
    const shown = await left.find(".frame-json").innerText();
    assert.match(shown, /"(token|secret)": ".{6}… \(\d+ characters\)"/);
    assert.doesNotMatch(shown, /"[\w.-]{40,}"/);
  }
});

test("lists are bounded", async (t) => {
  const page = await playground(t, "many");
  const { left } = page;
  await left.press(".inspector > summary");
  await page.page.evaluate(async () => {
    const { HubbubClient } = await import("/playground/hubbub-client.js");
    const token = async () => {
      const headers = { "content-type": "application/json" };
      const answer = await fetch("/dev/token", { method: "POST", headers, body: '{"user": "flood"}' });
      return (await answer.json()).token;
    };
    await new Promise((done) => {
      const onState = async (state) => {
        if (state !== "live") return;
        for (let sent = 0; sent < 520; sent += 40) {
          await Promise.all(Array.from({ length: 40 }, (_, n) => client.publish("many", `${sent + n}`)));
        }
        client.stop();
        done();
      };
      const client = new HubbubClient({ base: `${location.origin}/`, token, onState });
      client.start();
    });
  });
  await left.find(".message-body").getByText("519", { exact: true }).waitFor();
  assert.equal(await left.find(".message").count(), 500);
  assert.equal(await left.find(".frame").count(), 500);
});
