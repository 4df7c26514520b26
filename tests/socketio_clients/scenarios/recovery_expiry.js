// With a window of 300 ms: who comes later is somebody new.

import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";

import { ask, collect, range } from "../stage.js";

export async function not_after_the_window(stage) {
  const socket = await stage.enter();
  const { id } = socket;
  const got = collect(socket, "tick");
  await ask(socket, "join", stage.unique("late"));
  await ask(socket, "remember", "something");
  await ask(socket, "burst", 1, 3);
  for (let pause = 600; pause < 10_000 && socket.id === id; pause *= 2) {
    await stage.drop(socket);
    await wait(pause); // a server that is behind forgets later
    await stage.resume(socket);
  }
  assert.equal(socket.recovered, false);
  assert.notEqual(socket.id, id);
  assert.deepEqual(await ask(socket, "rooms"), []);
  assert.equal(await ask(socket, "recall"), null);
  assert.deepEqual(got, range(1, 3));
}
