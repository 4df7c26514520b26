// How connections end, and what both sides are told.

import assert from "node:assert/strict";

import { ask, next } from "../stage.js";

/** What the server was told about a client's end, every time that it was; asked of it by another. */
async function why(stage, id) {
  const witness = await stage.enter();
  for (;;) {
    const reasons = await ask(witness, "why", id);
    if (reasons.length > 0) return reasons;
  }
}

export async function by_the_client(stage) {
  const socket = await stage.enter();
  const { id } = socket;
  const gone = next(socket, "disconnect");
  socket.disconnect();
  assert.equal((await gone)[0], "io client disconnect");
  assert.equal(socket.active, false);
  assert.deepEqual(await why(stage, id), ["client namespace disconnect"]);
}

export async function by_the_server(stage) {
  const socket = await stage.enter();
  const { id } = socket;
  let attempts = 0;
  socket.io.on("reconnect_attempt", () => attempts++);
  socket.emit("kick");
  assert.equal((await next(socket, "disconnect"))[0], "io server disconnect");
  assert.equal(socket.active, false);
  assert.deepEqual(await why(stage, id), ["server namespace disconnect"]);
  assert.equal(attempts, 0); // it does not come back by itself,
  socket.connect(); // only when it is told to
  await stage.connected(socket);
  assert.notEqual(socket.id, id);
}

export async function by_the_clients_engine(stage) {
  const socket = await stage.enter();
  const { id } = socket;
  const gone = next(socket, "disconnect");
  const back = next(socket.io, "reconnect");
  socket.io.engine.close();
  assert.equal((await gone)[0], "forced close");
  await back;
  await stage.connected(socket);
  assert.notEqual(socket.id, id);
  assert.deepEqual(await why(stage, id), ["transport close"]);
}
