// With pings every 100 ms and 400 ms to answer them: who is silent is given up, by both sides.

import assert from "node:assert/strict";

import { ask, next, until } from "../stage.js";

export async function keep_the_connection(stage) {
  const socket = await stage.enter();
  const reasons = [];
  socket.on("disconnect", (reason) => reasons.push(reason));
  let pings = 0;
  socket.io.on("ping", () => pings++);
  await until(() => pings >= 8, "eight pings");
  assert.deepEqual(reasons, []);
  assert.equal(await ask(socket, "echo", "alive"), "alive");
}

export async function tell_both_sides_when_the_network_is_gone(stage) {
  const witness = await stage.enter("/", { url: stage.direct });
  const socket = await stage.enter("/", { timeout: 1_000 }); // for what it asks while nothing gets through
  const { id } = socket;
  const gone = next(socket, "disconnect");
  await stage.control("black hole", true);
  assert.equal((await gone)[0], "ping timeout");
  let reasons = [];
  while (reasons.length === 0) reasons = await ask(witness, "why", id);
  assert.deepEqual(reasons, ["ping timeout"]);
  await stage.control("black hole", false);
  await stage.connected(socket);
  assert.equal(await ask(socket, "echo", "back"), "back");
}
