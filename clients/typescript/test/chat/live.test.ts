/** What is pushed while a sync is answered. */

import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { until } from "../server.js";
import { World } from "./world.js";

let world: World;
beforeAll(async () => {
  world = await World.start({ settings: { "chat.receipts_interval": 0.01 } });
});
afterAll(() => world.stop());

test("receipts that overtake the answer of a sync are not lost", async () => {
  const id = await world.group(["ada", "bob"]);
  const seqs = [await world.say("ada", id, "one"), await world.say("ada", id, "two")];
  const ada = world.device("ada");
  const pushed: number[] = [];
  ada.hubbub.on("push", (push) => {
    if (push.type !== "publication" || push.event !== "receipts") return;
    const { receipts } = push.data as unknown as { receipts: { user: string; read: number }[] };
    pushed.push(...receipts.filter(({ user }) => user === "bob").map(({ read }) => read));
  });
  const call = ada.hubbub.call.bind(ada.hubbub);
  vi.spyOn(ada.hubbub, "call").mockImplementation(async (method, ...rest) => {
    const answer = await call(method, ...rest);
    const read = method === "chat.sync" ? seqs.shift() : undefined;
    if (read !== undefined) {
      await world.call("receipts.mark", { marks: [{ conversation: id, read }] }, "bob");
      await until(() => pushed.includes(read));
    }
    return answer as never;
  });
  const read = () =>
    ada.chat
      .receipts(id)
      .get()
      .find(({ user }) => user === "bob")?.read;
  await ada.chat.start();
  expect(read()).toBe(pushed.at(-1));
  ada.hubbub.reconnect(); // and now it knows the conversation
  await until(() => seqs.length === 0 && ada.chat.state.get().status === "live");
  expect(read()).toBe(pushed.at(-1));
  expect(pushed).toHaveLength(2);
  await ada.close();
});
