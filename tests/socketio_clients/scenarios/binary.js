// Bytes, anywhere in a value, both ways.

import assert from "node:assert/strict";

import { ask, collect, next, range } from "../stage.js";

const EVERY = Buffer.from(range(0, 255));

export async function every_byte(stage) {
  const socket = await stage.enter();
  const back = await ask(socket, "echo", EVERY);
  assert.ok(Buffer.isBuffer(back), `a ${back?.constructor?.name} came`);
  assert.deepEqual(back, EVERY);
}

export async function every_kind_of_bytes(stage) {
  const socket = await stage.enter();
  const array = new Uint8Array([0, 127, 128, 255]);
  for (const value of [array, array.buffer.slice(0), Buffer.from(array)]) {
    const back = await ask(socket, "echo", value); // msgpack tells an ArrayBuffer from other bytes
    assert.deepEqual(Buffer.from(back), Buffer.from(array));
  }
  assert.deepEqual(await ask(socket, "echo", Buffer.alloc(0)), Buffer.alloc(0));
}

export async function several_deep_inside(stage) {
  const socket = await stage.enter();
  const value = { a: [EVERY, { b: Buffer.from("b"), c: "text" }], d: Buffer.alloc(0), e: null, f: [Buffer.from("f")] };
  assert.deepEqual(await ask(socket, "echo", value), value);
  const back = next(socket, "again");
  socket.emit("again", value, 1, Buffer.from("last"));
  assert.deepEqual(await back, [value, 1, Buffer.from("last")]);
}

export async function large_ones(stage) {
  const socket = await stage.enter();
  const large = Buffer.alloc(300_000, EVERY);
  assert.ok((await ask(socket, "echo", large)).equals(large));
}

export async function text_between_keeps_its_place(stage) {
  const socket = await stage.enter();
  const got = collect(socket, "again");
  const sent = range(1, 100).map((number) => (number % 3 ? number : Buffer.from([number])));
  for (const value of sent) socket.emit("again", value);
  await ask(socket, "echo", "fence");
  assert.deepEqual(got, sent);
}

export async function to_a_room(stage) {
  const [one, two, sender] = [await stage.enter(), await stage.enter(), await stage.enter()];
  const room = stage.unique("binary");
  await ask(one, "join", room);
  await ask(two, "join", room);
  const heard = Promise.all([next(one, "bytes"), next(two, "bytes")]);
  await ask(sender, "say", [room], [], "bytes", { bytes: EVERY }, Buffer.from("x"));
  assert.deepEqual(await heard, Array(2).fill([{ bytes: EVERY }, Buffer.from("x")]));
}

export async function in_the_answers_of_clients(stage) {
  const socket = await stage.enter();
  socket.on("question", (value, answer) => answer({ got: value, more: [Buffer.from("more")] }));
  const { answer } = await ask(socket, "ask", null, "question", EVERY, 10_000);
  assert.deepEqual(answer, { got: EVERY, more: [Buffer.from("more")] });
}

export async function what_looks_like_a_placeholder_stays_one(stage) {
  const socket = await stage.enter();
  const value = { _placeholder: true, num: 0 };
  assert.deepEqual(await ask(socket, "echo", value), value);
}
