// What is sent arrives as it was, both ways.

import assert from "node:assert/strict";

import { ask, collect, next, range } from "../stage.js";

const VALUES = [
  null, true, false, 0, -1, 1.5, 2 ** 53 - 1, -(2 ** 53) + 1, 1e-7, "", "plain", "ünïcödé 🙂 \u0000 \u001e \u2028 \"\\",
  "b4AA", "4", "\ud83d\ude00", [], {}, [[[]]], { "": { "a b": [1, { c: null }] } }, { __proto__x: 1, constructor: 2 },
]; // prettier-ignore

export async function every_kind_of_value(stage) {
  const socket = await stage.enter();
  for (const value of VALUES) assert.deepEqual(await ask(socket, "echo", value), value);
  assert.equal((await ask(socket, "echo", undefined)) ?? null, null); // msgpack has an undefined
}

export async function any_number_of_values(stage) {
  const socket = await stage.enter();
  for (const values of [[], [1], [1, "two", { three: 3 }], range(1, 50)]) {
    const back = next(socket, "again");
    socket.emit("again", ...values);
    assert.deepEqual(await back, values);
  }
}

export async function long_values(stage) {
  const socket = await stage.enter();
  const text = "0123456789abcdéf".repeat(15_000); // about 250 kB
  assert.equal(await ask(socket, "echo", text), text);
}

export async function odd_names_of_events(stage) {
  const [socket, other] = [await stage.enter(), await stage.enter()];
  const room = stage.unique("names");
  await ask(other, "join", room);
  for (const name of [" ", "with space", "é🙂", "4", "constructor", "__proto__", "message", "x".repeat(100)]) {
    const heard = next(other, name);
    await ask(socket, "say", [room], [], name, name);
    assert.deepEqual(await heard, [name]);
  }
}

export async function what_no_handler_wants_is_ignored(stage) {
  const socket = await stage.enter();
  socket.emit("nobody listens", 1, { two: 2 }, Buffer.from([3]));
  assert.equal(await ask(socket, "echo", "alive"), "alive");
}

export async function uncompressed_ones_too(stage) {
  const socket = await stage.enter();
  assert.equal(await socket.compress(false).emitWithAck("echo", "x".repeat(5000)), "x".repeat(5000));
  assert.equal(await socket.compress(true).emitWithAck("echo", "y".repeat(5000)), "y".repeat(5000));
}

export async function volatile_ones_while_connected(stage) {
  const socket = await stage.enter();
  socket.on("maybe", (value) => socket.emit("number", value));
  // A volatile event may be lost: ours while the transport is busy, the server's between two polls. Not always.
  for (let tries = 1, got = []; got.length === 0; tries++) {
    assert.ok(tries < 200, "the server's volatile events are lost");
    await ask(socket, "say volatile", "maybe", tries);
    got = await ask(socket, "numbers");
  }
  const before = (await ask(socket, "numbers")).length;
  for (let tries = 1, got = []; got.length <= before; tries++) {
    assert.ok(tries < 200, "the client's volatile events are lost");
    socket.volatile.emit("number", tries);
    got = await ask(socket, "numbers");
  }
}

export async function nothing_comes_twice(stage) {
  const [socket, other] = [await stage.enter(), await stage.enter()];
  const room = stage.unique("once");
  await ask(other, "join", room);
  const got = collect(other, "item");
  for (const item of range(1, 30)) await ask(socket, "say", [room], [], "item", item);
  await ask(other, "echo", "fence");
  assert.deepEqual(got, range(1, 30));
}
