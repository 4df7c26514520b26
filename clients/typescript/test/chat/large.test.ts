/** Ten thousand messages. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { follow, texts, until, World } from "./world.js";

const COUNT = 10_000;
let world: World;
beforeAll(async () => {
  world = await World.start({ settings: { "limits.command_rate": 0, "limits.command_burst": 0 } });
});
afterAll(() => world.stop());

test("ten thousand messages are paged, searched in and kept true", { timeout: 110_000 }, async () => {
  const id = await world.group(["ada", "bob"]);
  const ada = await world.enter("ada");
  for (let at = 0; at < COUNT; at += 500) {
    await Promise.all(
      Array.from({ length: 500 }, (_, each) =>
        ada.chat.call("messages.send", {
          conversation: id,
          parts: [{ type: "text", text: `m${at + each + 1}` }],
        }),
      ),
    );
  }
  const bob = await world.enter("bob");
  expect(bob.chat.unread.get().messages).toBe(COUNT);
  const list = follow(bob.chat.messages(id));
  await until(() => list.get().atEnd);
  await list.jumpTo(5_000);
  const middle = texts(list.get());
  expect(middle.length).toBe(50);
  await list.toEnd();
  let pages = 1;
  for (; !list.get().atStart; pages++) await list.loadBefore();
  expect(list.get().items.length).toBe(COUNT + 0);
  const said = texts(list.get());
  expect(said[0]).toBe("m1");
  expect(said.at(-1)).toBe(`m${COUNT}`);
  expect(new Set(said).size).toBe(COUNT);
  expect(pages).toBeLessThanOrEqual(COUNT / 50 + 1);

  // What happens then costs what happens, and not what is there.
  const before = list.get().items;
  const seq = before[5_000]?.message.seq as number;
  await ada.chat.react(id, seq, "+1");
  await until(() => list.get().items[5_000]?.message.reactions);
  const after = list.get().items;
  expect(after.filter((each, at) => each !== before[at]).length).toBe(1);
  const begun = performance.now();
  await Promise.all(Array.from({ length: 200 }, (_, at) => ada.chat.send(id, { text: `n${at + 1}` }).sent));
  await until(() => texts(list.get()).at(-1) === "n200");
  console.log(`200 messages onto ${COUNT}: ${Math.round(performance.now() - begun)} ms`);
  expect(bob.chat.unread.get().messages).toBe(COUNT + 200);
  list.stop();
  expect(list.get().items.length).toBeLessThan(100);
});
