/** What a page tells of being looked at decides what is read. The page is made of event targets. */

import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { until } from "../server.js";
import { World } from "./world.js";

let world: World;
let id: string;
let page: EventTarget & { visibilityState: string };
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.stop());
beforeEach(async () => {
  id = await world.group(["ada", "bob"]);
  page = Object.assign(new EventTarget(), { visibilityState: "visible" });
  vi.stubGlobal("document", page);
});
afterEach(async () => {
  await world.leave();
  vi.unstubAllGlobals();
});

const look = (visibilityState: "visible" | "hidden") => {
  page.visibilityState = visibilityState;
  page.dispatchEvent(new Event("visibilitychange"));
};
const membership = async () =>
  (await world.call("conversations.get", { conversation: id }, "ada")).membership;

test("what was seen is told at once when the page is left", async () => {
  const ada = await world.enter("ada");
  const seq = await world.say("bob", id, "hello");
  const call = vi.spyOn(ada.hubbub, "call");
  ada.chat.messages(id).visible(seq);
  expect(call).not.toHaveBeenCalled();
  look("hidden");
  expect(call).toHaveBeenCalledTimes(1);
  expect(call.mock.lastCall?.slice(0, 2)).toMatchObject([
    "chat.receipts.mark",
    { marks: [{ conversation: id, read: seq }] },
  ]);
  await until(async () => (await membership()).read === seq);
});

test("behind another page nothing is read before one looks again", async () => {
  const ada = await world.enter("ada", { delivered: true });
  look("hidden");
  const seq = await world.say("bob", id, "hello");
  ada.chat.messages(id).visible(seq);
  await until(async () => (await membership()).delivered === seq);
  expect((await membership()).read).not.toBe(seq);
  look("visible");
  await until(async () => (await membership()).read === seq);
});
