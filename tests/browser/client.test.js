// The page's client by itself, against a server that says what the test wants. No browser.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { HubbubClient } from "../../src/hubbub/playground/hubbub-client.js";

const CONNECTED = { type: "connected", session: "s1", secret: "x", ping_interval: 6, ping_timeout: 3, version: "1" };

/** A transport that the test plays the server of: the link in use, and what was sent on it. */
class Links {
  all = [];

  open = ({ connect, receive, closed }) => {
    const link = { sent: [connect], closed: undefined, lose: closed };
    link.say = (...objects) => receive(objects.map((object) => JSON.stringify(object)).join("\n"));
    link.last = (type) => link.sent.findLast((command) => command.type === type);
    link.reply = (to, object) => link.say({ ...object, id: link.last(to).id });
    this.all.push(link);
    return { send: (text) => link.sent.push(JSON.parse(text)), close: (code) => (link.closed = code ?? "without") };
  };

  get now() {
    return this.all.at(-1);
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const publication = (offset) => ({ type: "publication", channel: "c", event: "m", data: offset, epoch: "e", offset });
const entered = (offset) => ({ type: "subscribed", channel: "c", recoverable: true, position: { epoch: "e", offset } });

let links, states, seen, client;

beforeEach(() => {
  links = new Links();
  states = [];
  seen = [];
  let tokens = 0;
  client = new HubbubClient({
    base: "http://test/",
    token: async () => `token-${++tokens}`,
    transport: links.open,
    onState: (state, detail) => states.push(detail.reason ? `${state}: ${detail.reason}` : state),
  });
  const note = (what) => (value) => seen.push(value === undefined ? what : `${what} ${value}`);
  client.subscribe("c", {
    subscribed: ({ position }) => note("subscribed")(position?.offset),
    publication: ({ offset }) => note("publication")(offset),
    recovered: (publications) => note("recovered")(publications.map((each) => each.offset).join()),
    gap: ({ reason }) => note("gap:")(reason),
    refused: (error) => note("refused:")(error.message),
  });
});

afterEach(() => client.stop());

/** Connected, and in the channel at offset 5. */
async function live() {
  client.start();
  await settle();
  links.now.reply("connect", CONNECTED);
  links.now.reply("subscribe", entered(5));
  seen.length = 0;
}

function timers(t) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  return t.mock.timers;
}

test("it connects with a token, then subscribes", async () => {
  client.start();
  await settle();
  assert.equal(links.now.last("connect").token, "token-1");
  assert.deepEqual(states, ["connecting"]);
  links.now.reply("connect", CONNECTED);
  assert.deepEqual(states, ["connecting", "live"]);
  assert.equal("since" in links.now.last("subscribe"), false);
});

test("what was seen is not given again", async () => {
  await live();
  links.now.say(publication(6), publication(6), publication(5), publication(7));
  assert.deepEqual(seen, ["publication 6", "publication 7"]);
});

test("what overtakes the reply to subscribe is given after it, once", async () => {
  client.start();
  await settle();
  links.now.reply("connect", CONNECTED);
  links.now.say(publication(6), publication(7));
  assert.deepEqual(seen, []);
  links.now.reply("subscribe", entered(6));
  assert.deepEqual(seen, ["subscribed 6", "publication 7"]);
});

test("a hole is filled from the log before anything newer", async () => {
  await live();
  links.now.say(publication(8), publication(9));
  assert.deepEqual(seen, []);
  assert.deepEqual(links.now.last("history").since, { epoch: "e", offset: 5 });
  const publications = [6, 7, 8, 9].map(publication);
  const result = { position: { epoch: "e", offset: 9 }, complete: true, more: false, publications };
  links.now.reply("history", { type: "result", result });
  assert.deepEqual(seen, ["publication 6", "publication 7", "publication 8", "publication 9"]);
  links.now.say(publication(10));
  assert.equal(seen.at(-1), "publication 10");
});

test("a hole that the log cannot fill is told", async () => {
  await live();
  links.now.say(publication(9));
  const publications = [8, 9].map(publication);
  const result = { position: { epoch: "e", offset: 9 }, complete: false, more: false, publications };
  links.now.reply("history", { type: "result", result });
  assert.deepEqual(seen, ["gap: the log no longer reaches back that far", "publication 8", "publication 9"]);
});

test("a hole that nothing explains does not make it ask for ever", async () => {
  await live();
  links.now.say(publication(9));
  const asked = links.now.sent.length;
  const result = { position: { epoch: "e", offset: 9 }, complete: true, more: false, publications: [] };
  links.now.reply("history", { type: "result", result });
  assert.deepEqual(seen, ["publication 9"]);
  assert.equal(links.now.sent.length, asked);
});

test("it resumes with its positions, and gives what was missed once", async (t) => {
  const clock = timers(t);
  await live();
  links.now.say(publication(6));
  links.now.lose({ code: 1006, reason: "" });
  clock.tick(8_000);
  assert.deepEqual(states.slice(-2), ["offline", "resuming"]);
  const positions = { c: { epoch: "e", offset: 6 } };
  assert.deepEqual(links.now.last("connect").resume, { session: "s1", secret: "x", positions });
  const subscribed = { ...entered(8), recovered: true, publications: [6, 7, 8].map(publication) };
  links.now.reply("connect", { ...CONNECTED, resumed: true, recovered: true, subscriptions: [subscribed] });
  assert.deepEqual(seen, ["publication 6", "recovered 7,8"]);
  links.now.say(publication(8), publication(9));
  assert.equal(seen.at(-1), "publication 9");
  assert.equal(links.now.sent.filter(({ type }) => type === "subscribe").length, 0);
});

for (const [reason, reply] of [
  ["the channel's log began anew", { recoverable: true, position: { epoch: "new", offset: 0 } }],
  ["the log no longer reaches back that far", { recoverable: true, position: { epoch: "e", offset: 900 } }],
  ["this channel keeps no log", {}],
]) {
  test(`a session that is gone is replaced, and honest: ${reason}`, async () => {
    await live();
    client.drop();
    client.restore();
    links.now.reply("connect", { type: "error", code: 119, name: "session_gone", message: "gone" });
    await settle();
    assert.equal(links.now.last("connect").token, "token-2");
    links.now.reply("connect", CONNECTED);
    assert.deepEqual(links.now.last("subscribe").since, { epoch: "e", offset: 5 });
    links.now.reply("subscribe", { type: "subscribed", channel: "c", ...reply });
    assert.deepEqual(seen, [`gap: ${reason}`]);
  });
}

test("a publish without an answer is repeated with its key", async () => {
  await live();
  const published = client.publish("c", "hello");
  const first = links.now.last("publish");
  client.drop();
  client.restore();
  const early = links.now;
  assert.equal(early.last("publish"), undefined);
  early.reply("connect", { ...CONNECTED, resumed: true });
  assert.deepEqual(early.last("publish"), first);
  early.reply("publish", { type: "published", position: { epoch: "e", offset: 6 } });
  assert.equal((await published).position.offset, 6);
  client.drop();
  client.restore();
  links.now.reply("connect", { ...CONNECTED, resumed: true });
  assert.equal(links.now.last("publish"), undefined);
});

test("other commands fail with the link", async () => {
  await live();
  const asked = client.command({ type: "presence", channel: "c" });
  client.drop();
  await assert.rejects(asked, /connection lost/);
  await assert.rejects(client.command({ type: "presence", channel: "c" }), /not connected/);
});

test("dropped is dropped until it is restored", async (t) => {
  const clock = timers(t);
  await live();
  client.drop();
  assert.equal(links.now.closed, 4000); // not 1000, which would end the session
  clock.tick(600_000);
  assert.equal(links.all.length, 1);
  client.restore();
  assert.equal(links.all.length, 2);
});

for (const code of [1002, 1009, 3501, 3503]) {
  test(`after ${code} it does not come back, and what waits is refused`, async (t) => {
    const clock = timers(t);
    await live();
    const published = client.publish("c", "hello");
    links.now.lose({ code, reason: "no" });
    await assert.rejects(published, /no/);
    clock.tick(600_000);
    assert.equal(states.at(-1), "ended: no");
    assert.equal(links.all.length, 1);
  });
}

test("a disconnect that the server explained is obeyed", async (t) => {
  const clock = timers(t);
  await live();
  links.now.say({ type: "disconnect", code: 4001, reason: "banned", reconnect: false });
  links.now.lose({ code: 4001, reason: "" });
  clock.tick(600_000);
  assert.equal(states.at(-1), "ended: banned");
});

test("attempts grow apart, with jitter, up to a limit, and start afresh after success", async (t) => {
  const clock = timers(t);
  const random = t.mock.method(Math, "random", () => 1);
  await live();
  const waits = [];
  const observe = async (jitter) => {
    random.mock.mockImplementation(() => jitter);
    const before = links.all.length;
    links.now.lose({ code: 1006, reason: "" });
    let waited = 0;
    while (links.all.length === before) {
      clock.tick(50);
      waited += 50;
      assert.ok(waited <= 10_000);
    }
    waits.push(waited);
  };
  for (let attempt = 0; attempt < 7; attempt++) await observe(1);
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
  await observe(0.25);
  assert.equal(waits.at(-1), 2000);
  links.now.reply("connect", { ...CONNECTED, resumed: true });
  await observe(1);
  assert.equal(waits.at(-1), 500);
});

test("silence is asked about; no answer means the link is lost", async (t) => {
  const clock = timers(t);
  await live();
  const pings = () => links.now.sent.filter(({ type }) => type === "ping").length;
  const counts = [];
  for (let second = 3; second <= 12; second += 3) {
    clock.tick(3_000);
    counts.push(pings());
    if (second === 6) links.now.reply("ping", { type: "result", result: {} });
  }
  assert.deepEqual(counts, [0, 1, 1, 2]);
  assert.equal(client.state, "live");
  clock.tick(3_000);
  assert.equal(states.at(-1), "offline: no answer");
});

test("when a node drains, it moves at a moment of its own", async (t) => {
  const clock = timers(t);
  t.mock.method(Math, "random", () => 0.5);
  await live();
  links.now.say({ type: "advice", action: "reconnect", reconnect_after: 1, spread: 10 });
  clock.tick(5_999);
  assert.equal(links.all.length, 1);
  clock.tick(1);
  assert.equal(links.all.length, 2);
  assert.equal(client.state, "resuming");
});

test("a refusal to subscribe is told, and a late answer of an old link is not heard", async () => {
  client.start();
  await settle();
  const old = links.now;
  old.reply("connect", CONNECTED);
  old.reply("subscribe", { type: "error", code: 104, name: "permission_denied", message: "may not" });
  assert.deepEqual(seen, ["refused: may not"]);
  client.drop();
  old.say(publication(1));
  old.lose({ code: 1006, reason: "" });
  assert.equal(client.state, "dropped");
  assert.deepEqual(seen, ["refused: may not"]);
});

test("to stop is to say goodbye", async () => {
  await live();
  client.stop();
  assert.equal(links.now.closed, 1000);
  assert.equal(states.at(-1), "idle");
});
