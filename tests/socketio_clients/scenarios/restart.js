// The server goes and comes back on its port.

import assert from "node:assert/strict";

import { ask, next } from "../stage.js";

async function comes_back(stage, how) {
  const root = await stage.enter("/", { query: { colour: "red" }, auth: { key: "kept" } });
  const chat = root.io.socket("/chat");
  await stage.connected(chat);
  const { id } = root;
  await ask(root, "join", "somewhere");
  await ask(root, "burst", 1, 3); // it has an offset to come back with
  const back = Promise.all([next(root, "connect"), next(chat, "connect")]);
  const gone = next(root, "disconnect");
  await stage.control(how);
  const [reason] = await gone;
  assert.ok(["transport close", "transport error"].includes(reason), reason);
  await back;
  assert.equal(root.recovered, false);
  assert.notEqual(root.id, id);
  assert.deepEqual(await ask(root, "rooms"), []);
  const { query, auth } = await ask(root, "who");
  assert.deepEqual([query.colour, auth.key], ["red", "kept"]);
  assert.equal(await ask(chat, "echo", "works"), "works");
}

export const after_a_crash = (stage) => comes_back(stage, "crash");
export const after_a_stop = (stage) => comes_back(stage, "restart");
