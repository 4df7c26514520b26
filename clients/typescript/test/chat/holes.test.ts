/** Pushes that get lost on their way, as no server of ours loses them: what is missing is noticed, and read. */

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { ServerPush } from "../../src/index.js";
import { type Device, follow, texts, until, World } from "./world.js";

let world: World;
beforeAll(async () => {
  world = await World.start({ settings: { "limits.history": 4 } });
});
afterAll(() => world.stop());
afterEach(() => world.leave());

/** A device that does not get what `lost` says. */
async function enter(user: string, lost: (push: ServerPush) => boolean): Promise<Device> {
  const device = world.device(user);
  const on = device.hubbub.on.bind(device.hubbub);
  device.hubbub.on = (event, listener) => on(event, (push) => void (lost(push) || listener(push)));
  await device.chat.start();
  return device;
}

test.each([
  ["few", 3],
  ["too many", 30],
])("events of a conversation that are missing are read: %s", async (_, count) => {
  const id = await world.group(["ada", "bob"]);
  let away = false;
  const bob = await enter("bob", (push) => away && push.type === "publication");
  const list = follow(bob.chat.messages(id));
  await until(() => list.get().atEnd);
  const first = await world.say("ada", id, "first");
  await until(() => texts(list.get()).includes("first"));
  away = true;
  for (let at = 1; at < count; at++) await world.say("ada", id, `lost ${at}`);
  await world.call("reactions.add", { conversation: id, message: first, name: "+1" }, "ada");
  // A round trip: what was pushed before it has come, and was lost.
  await bob.chat.call("me.get", {});
  away = false;
  await world.say("ada", id, "last");
  await until(() => texts(list.get()).includes("last"));
  const all = async () =>
    (await world.call("messages.list", { conversation: id, limit: 100 }, "bob")).messages;
  await until(
    async () => JSON.stringify(list.get().items.map((each) => each.message)) === JSON.stringify(await all()),
  );
  await until(() => bob.chat.conversation(id).get()?.unread === count + 1);
});

test("an event of the inbox that is missing is made up for by a sync", async () => {
  await world.users("ada", "eve");
  const id = await world.group(["ada"]);
  let away = false;
  const ada = await enter("ada", (push) => away && push.type === "publication");
  away = true;
  await world.call("bookmarks.add", { conversation: id, message: 1 }, "ada").catch(() => undefined);
  const seq = await world.say("ada", id, "keep");
  await world.call("bookmarks.add", { conversation: id, message: seq }, "ada");
  await ada.chat.call("me.get", {});
  away = false;
  expect(ada.chat.bookmarks.get()).toEqual([]);
  await world.call("blocks.add", { user: "eve" }, "ada");
  await until(() => ada.chat.blocks.get().length === 1);
  await until(() => ada.chat.bookmarks.get().length === 1);
});

test("what is pushed while a sync is on its way comes behind it", async () => {
  const id = await world.group(["ada", "bob"]);
  await world.say("ada", id, "before");
  const bob = world.device("bob");
  const call = bob.hubbub.call.bind(bob.hubbub);
  bob.hubbub.call = async (method, ...rest) => {
    const answer = await call(method, ...(rest as []));
    if (method === "chat.sync") {
      const pushed = new Promise((done) =>
        bob.hubbub.on("push", (push) => push.type === "publication" && done(push)),
      );
      await world.say("ada", id, "meanwhile");
      await pushed;
    }
    return answer as never;
  };
  await bob.chat.start();
  await until(() => bob.chat.conversation(id).get()?.unread === 2);
  expect(bob.chat.conversation(id).get()?.lastMessage?.parts).toMatchObject([{ text: "meanwhile" }]);
});
