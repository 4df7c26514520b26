// The network breaks; the client comes back by itself. Faults are made by the proxy that the client goes through.

import assert from "node:assert/strict";

import { ask, next, range, until } from "../stage.js";

const BROKEN = ["transport close", "transport error"];

export async function after_a_reset(stage) {
  const socket = await stage.enter();
  const gone = next(socket, "disconnect");
  const back = next(socket.io, "reconnect");
  await stage.control("reset");
  assert.ok(BROKEN.includes((await gone)[0]));
  await back;
  await stage.connected(socket);
  assert.equal(await ask(socket, "echo", "back"), "back");
}

export async function again_and_again(stage) {
  const socket = await stage.enter();
  for (const round of range(1, 5)) {
    const back = next(socket, "connect");
    await stage.control("reset");
    await back;
    assert.equal(await ask(socket, "echo", round), round);
  }
}

export async function when_it_is_let_in_again(stage) {
  const socket = await stage.enter();
  let attempts = 0;
  socket.io.on("reconnect_attempt", () => attempts++);
  await stage.control("refuse", true);
  await stage.control("reset");
  await until(() => attempts >= 3, "three attempts");
  await stage.control("refuse", false);
  await stage.connected(socket);
  assert.equal(await ask(socket, "echo", "back"), "back");
}

export async function what_was_sent_meanwhile_arrives(stage) {
  const socket = await stage.enter();
  const gone = next(socket, "disconnect");
  await stage.control("refuse", true);
  await stage.control("reset");
  await gone;
  for (const number of range(1, 50)) socket.emit("number", number);
  await stage.control("refuse", false);
  await stage.connected(socket);
  assert.deepEqual(await ask(socket, "numbers"), range(1, 50));
}

export async function all_namespaces_come_back(stage) {
  const root = await stage.enter();
  const chat = root.io.socket("/chat");
  await stage.connected(chat);
  const back = Promise.all([next(root, "connect"), next(chat, "connect")]);
  await stage.control("reset");
  await back;
  assert.equal(await ask(root, "echo", 1), 1);
  assert.equal(await ask(chat, "echo", 2), 2);
}

export async function when_the_bytes_come_one_by_one(stage) {
  await stage.control("slice", 1);
  const socket = await stage.enter();
  assert.equal(await ask(socket, "echo", "slowly"), "slowly");
  assert.deepEqual(await ask(socket, "echo", Buffer.from("bytes")), Buffer.from("bytes"));
  await stage.control("slice", 0);
}
