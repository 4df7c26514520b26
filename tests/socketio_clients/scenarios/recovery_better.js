// What Hubbub recovers and Node's Socket.IO does not.

import assert from "node:assert/strict";

import { ask, collect, range, within } from "../stage.js";

export async function questions_asked_meanwhile(stage) {
  const [socket, other] = [await stage.enter(), await stage.enter("/", { url: stage.direct })];
  const room = stage.unique("questions");
  await ask(socket, "join", room);
  socket.on("question", (value, answer) => answer(`${value}!`));
  await stage.drop(socket);
  const direct = ask(other, "ask", socket.id, "question", "direct", 10_000);
  const all = ask(other, "ask all", room, "question", "all", 10_000);
  await ask(other, "echo", "both are asked");
  await stage.resume(socket);
  assert.equal(socket.recovered, true);
  assert.deepEqual(await direct, { answer: "direct!" });
  assert.deepEqual(await all, { error: null, answers: ["all!"] });
}

export async function one_who_had_no_event_yet(stage) {
  const [socket, other] = [await stage.enter(), await stage.enter("/", { url: stage.direct })];
  const room = stage.unique("none");
  const { id } = socket;
  const got = collect(socket, "tick");
  await ask(socket, "join", room);
  await stage.drop(socket);
  await ask(other, "count", room, 1, 20);
  await stage.resume(socket);
  assert.deepEqual([socket.recovered, socket.id], [true, id]);
  await ask(socket, "echo", "fence");
  assert.deepEqual(got, range(1, 20));
}

export async function one_whose_old_connection_still_seems_open(stage) {
  const [socket, other] = [await stage.enter(), await stage.enter("/", { url: stage.direct })];
  const room = stage.unique("open");
  const { id } = socket;
  const got = collect(socket, "tick");
  await ask(socket, "join", room);
  await ask(other, "count", room, 1, 1);
  await ask(socket, "echo", "fence");
  await stage.upgraded(socket);
  await stage.control("black hole", true);
  await stage.drop(socket);
  await ask(other, "count", room, 2, 20); // written to the old connection, which leads nowhere
  await stage.control("black hole", false);
  await within(stage.resume(socket), "the way back");
  assert.deepEqual([socket.recovered, socket.id], [true, id]);
  await ask(socket, "echo", "fence");
  assert.deepEqual(got, range(1, 20));
  await ask(other, "count", room, 21, 25);
  await ask(socket, "echo", "fence");
  assert.deepEqual(got, range(1, 25));
}
