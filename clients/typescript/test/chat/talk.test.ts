import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { follow, texts, until, World } from "./world.js";

let world: World;
beforeAll(async () => {
  world = await World.start({ settings: { "chat.typing_interval": 0.1, "chat.presence_grace": 0.2 } });
});
afterAll(() => world.stop());
afterEach(() => world.leave());

test("what is written is shown at once, and confirmed under the same key", async () => {
  const id = await world.group(["ada", "bob"]);
  const ada = await world.enter("ada");
  const bob = await world.enter("bob");
  const list = follow(ada.chat.messages(id));
  const theirs = follow(bob.chat.messages(id));
  await until(() => list.get().atEnd && theirs.get().atEnd);

  const { key, sent } = ada.chat.send(id, { text: "Hello" });
  expect(list.get().items.at(-1)).toMatchObject({ key, message: { seq: 0, sender: "ada" } });
  expect(["queued", "sending"]).toContain(list.get().items.at(-1)?.status);
  const message = await sent;
  await until(() => list.get().items.at(-1)?.status === "sent");
  expect(list.get().items.at(-1)).toMatchObject({ key, message });
  await until(() => texts(theirs.get()).includes("Hello"));
  expect(theirs.get().items.at(-1)?.message).toEqual(message);
  expect(bob.chat.conversation(id).get()).toMatchObject({ unread: 1, lastMessage: message });
  expect(ada.chat.conversation(id).get()).toMatchObject({ unread: 0, lastMessage: message });
  expect([...ada.errors, ...bob.errors]).toEqual([]);
});
