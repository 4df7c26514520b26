// 200 clients at once.

import assert from "node:assert/strict";

import { ask, collect, next, range, within } from "../stage.js";

const CLIENTS = 200;

export async function comes_speaks_and_goes(stage) {
  const room = stage.unique("crowd");
  const sockets = range(1, CLIENTS).map(() => stage.open());
  const got = sockets.map((socket) => collect(socket, "tick"));
  await within(Promise.all(sockets.map((socket) => stage.connected(socket))), "all of the crowd");
  assert.equal(new Set(sockets.map((socket) => socket.id)).size, CLIENTS);
  await Promise.all(sockets.map((socket) => ask(socket, "join", room)));
  assert.deepEqual(await Promise.all(sockets.map((socket, at) => ask(socket, "echo", at))), range(0, CLIENTS - 1));
  const last = Promise.all(sockets.map((socket) => next(socket, "last")));
  await ask(sockets[0], "count", room, 1, 20);
  await ask(sockets[0], "say", [room], [], "last");
  await last;
  for (const list of got) assert.deepEqual(list, range(1, 20));
  if (stage.transport === "upgrade") {
    await Promise.all(sockets.map((socket) => stage.upgraded(socket)));
    assert.ok(sockets.every((socket) => socket.connected));
  }
}
