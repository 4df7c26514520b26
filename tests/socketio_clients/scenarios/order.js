// Nothing is lost, doubled or out of order: in bursts, both ways, and while the transport changes.

import assert from "node:assert/strict";

import { ask, collect, range, until } from "../stage.js";

const MANY = 1000;

export async function burst_to_the_client(stage) {
  const socket = await stage.enter();
  const got = collect(socket, "tick");
  await ask(socket, "burst", 1, MANY);
  assert.deepEqual(got, range(1, MANY)); // all of it before the ack
}

export async function burst_to_the_server(stage) {
  const socket = await stage.enter();
  for (const number of range(1, MANY)) socket.emit("number", number);
  assert.deepEqual(await ask(socket, "numbers"), range(1, MANY));
}

export async function bursts_both_ways_at_once(stage) {
  const socket = await stage.enter();
  const got = collect(socket, "tick");
  const counted = ask(socket, "burst", 1, MANY);
  for (const number of range(1, MANY)) socket.emit("number", number);
  await counted;
  assert.deepEqual(await ask(socket, "numbers"), range(1, MANY));
  assert.deepEqual(got, range(1, MANY));
}

export async function from_the_first_moment(stage) {
  // The server counts from the connect on: in "upgrade" all through the probe and the change of transport.
  const clients = range(1, 10).map(() => {
    const socket = stage.open("/", { auth: { ticks: MANY } });
    const got = collect(socket, "tick");
    let sent = 0;
    socket.on("tick", () => socket.emit("number", ++sent));
    return { socket, got };
  });
  for (const { socket, got } of clients) {
    await until(() => got.length >= MANY, `${MANY} ticks; ${got.length} came`);
    assert.deepEqual(await ask(socket, "numbers"), range(1, MANY));
    assert.deepEqual(got, range(1, MANY));
    if (stage.transport === "upgrade") await until(() => socket.io.engine.transport.name === "websocket", "the upgrade");
  }
}

export async function in_a_room(stage) {
  const sockets = [await stage.enter(), await stage.enter(), await stage.enter()];
  const room = stage.unique("count");
  const got = sockets.map((socket) => collect(socket, "tick"));
  for (const socket of sockets) await ask(socket, "join", room);
  await ask(sockets[0], "count", room, 1, MANY);
  for (const socket of sockets) await ask(socket, "echo", "fence");
  assert.deepEqual(got, Array(3).fill(range(1, MANY)));
}
