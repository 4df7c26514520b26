/** Messages that wait for a moderator, restrictions, and reloads with a full outbox. */

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { memoryStorage } from "../../src/index.js";
import { FaultProxy } from "../proxy.js";
import { follow, texts, until, World } from "./world.js";

let world: World;
beforeAll(async () => {
  world = await World.start();
  await world.call("moderation.blocklists.put", { list: "rude", words: ["badword"] });
  const when = [{ type: "blocklist", lists: ["rude"] }] as const;
  await world.call("moderation.rules.draft", { rules: [{ name: "rude", when, action: "hold" }] });
  await world.call("moderation.rules.publish", {});
});
afterAll(() => world.stop());
afterEach(() => world.leave());

test("a held message is shown to its author alone, until somebody has decided", async () => {
  const id = await world.group(["ada", "bob"]);
  const [ada, bob] = await Promise.all([world.enter("ada"), world.enter("bob")]);
  const lists = [ada, bob].map((each) => follow(each.chat.messages(id)));
  await until(() => lists.every((each) => each.get().atEnd));
  const [theirs, mine] = lists as [(typeof lists)[0], (typeof lists)[0]];
  const message = await bob.chat.send(id, { text: "a badword" }).sent;
  expect(message.seq).toBe(0);
  await until(() => mine.get().items.at(-1)?.status === "held");
  expect(texts(mine.get()).filter((each) => each === "a badword").length).toBe(1);
  expect(bob.chat.holds.get()).toMatchObject([{ state: "pending" }]);
  const { cases } = await world.call("cases.list", {});
  await world.call("cases.decide", { case: cases[0]?.id as string, action: "approve" });
  await until(() => texts(theirs.get()).includes("a badword"));
  await until(() => mine.get().items.at(-1)?.status === "sent");
  expect(texts(mine.get()).filter((each) => each === "a badword").length).toBe(1);
  expect(bob.chat.holds.get()).toMatchObject([{ state: "approved", sent: expect.any(Number) }]);
});

test("who is muted learns of it, and when it is over", async () => {
  const id = await world.group(["ada", "bob"]);
  const bob = await world.enter("bob");
  await world.call("restrictions.set", { user: "bob", kind: "mute", conversation: id, reason: "Calm down" });
  await until(() => bob.chat.restrictions.get().length === 1);
  expect(bob.chat.restrictions.get()).toMatchObject([{ kind: "mute", conversation: id }]);
  await expect(bob.chat.send(id, { text: "But" }).sent).rejects.toMatchObject({ name: "restricted" });
  await world.call("restrictions.lift", { user: "bob", kind: "mute", conversation: id });
  await until(() => bob.chat.restrictions.get().length === 0);
});

test("what waits in the outbox is there after a reload, and is sent once", async () => {
  const id = await world.group(["ada"]);
  const storage = memoryStorage();
  const proxy = await FaultProxy.start(world.server);
  const before = await world.enter("ada", { storage, url: proxy.url });
  proxy.refuse = () => true;
  proxy.cut();
  await until(() => before.hubbub.connection.get().status !== "connected");
  for (const text of ["one", "two"]) before.chat.send(id, { text }).sent.catch(() => undefined);
  await until(async () => (await storage.load()).length === 2);
  await before.close();

  const after = world.device("ada", { storage, url: proxy.url });
  const list = follow(after.chat.messages(id));
  const started = after.chat.start();
  await until(() => texts(list.get()).length === 2); // though there is no connection yet
  proxy.refuse = undefined;
  after.hubbub.reconnect();
  await started;
  await until(
    () => list.get().items.length === 2 && list.get().items.every((each) => each.status === "sent"),
  );
  expect(texts(list.get())).toEqual(["one", "two"]);
  await proxy.stop();
});

test("a device whose clock is wrong shows the server's times", async () => {
  const id = await world.group(["ada"]);
  const ada = world.device("ada");
  const now = Date.now;
  Date.now = () => now() + 3_600_000;
  try {
    await ada.chat.start();
    const list = follow(ada.chat.messages(id));
    await until(() => list.get().atEnd);
    await world.say("ada", id, "before"); // what comes has the server's time
    await until(() => texts(list.get()).includes("before"));
    const { key, sent } = ada.chat.send(id, { text: "now" });
    const shown = list.get().items.at(-1);
    expect(shown?.key).toBe(key);
    expect(Math.abs((shown?.message.created ?? 0) - now() / 1000)).toBeLessThan(5);
    await sent;
    await until(() => list.get().items.at(-1)?.status === "sent");
    expect(
      list
        .get()
        .items.map((each) => each.key)
        .filter((each) => each === key).length,
    ).toBe(1);
  } finally {
    Date.now = now;
  }
});
