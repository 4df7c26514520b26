// What Hubbub does and Node's Socket.IO does not. Connection state recovery is on.

import assert from "node:assert/strict";

import { ask, collect, next, range, within } from "../stage.js";

export async function questions_asked_meanwhile(stage) {
  const [socket, other] = [await stage.enter(), await stage.enter("/", { url: stage.direct })];
  const { id } = socket;
  await ask(socket, "burst", 1, 1);
  socket.on("question", (value, answer) => answer(`${value}!`));
  await stage.drop(socket);
  // As long as the server does not know, it may still write to the client, which is gone, but has read it.
  for (let reasons = []; reasons.length === 0; ) reasons = await ask(other, "why", id);
  const answers = range(1, 5).map((number) => ask(other, "ask", id, "question", number, 10_000));
  await ask(other, "echo", "all are asked");
  await stage.resume(socket);
  assert.equal(socket.recovered, true);
  assert.deepEqual(await Promise.all(answers), range(1, 5).map((number) => ({ answer: `${number}!` })));
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

export async function all_handled_when_it_leaves_at_once(stage) {
  const [socket, other] = [await stage.enter(), await stage.enter()];
  const room = stage.unique("farewell");
  await ask(other, "join", room);
  const got = collect(other, "tick");
  const last = next(other, "last");
  for (const number of range(1, 100)) socket.emit("say", [room], [], "tick", number, () => {});
  socket.emit("say", [room], [], "last", "words", () => {});
  socket.disconnect();
  await last;
  assert.deepEqual(got, range(1, 100));
}

export async function after_a_reset_that_the_server_did_not_see(stage) {
  const [socket, other] = [await stage.enter(), await stage.enter("/", { url: stage.direct })];
  const room = stage.unique("reset");
  const { id } = socket;
  const got = collect(socket, "tick");
  await ask(socket, "join", room);
  await ask(other, "count", room, 1, 3);
  const gone = next(socket, "disconnect");
  await stage.control("refuse", true);
  await stage.control("reset"); // between two polls, perhaps
  await gone;
  await ask(other, "count", room, 4, 30);
  await stage.control("refuse", false);
  await stage.connected(socket);
  assert.deepEqual([socket.recovered, socket.id], [true, id]);
  await ask(socket, "echo", "fence");
  assert.deepEqual(got, range(1, 30));
}

export async function a_session_is_never_two(stage) {
  const socket = await stage.enter("/", { reconnection: false });
  const thief = stage.open("/", { autoConnect: false });
  await ask(socket, "burst", 1, 3);
  const { id } = socket;
  const gone = next(socket, "disconnect");
  [thief._pid, thief._lastOffset] = [socket._pid, socket._lastOffset];
  thief.connect();
  await stage.connected(thief);
  assert.deepEqual([thief.recovered, thief.id], [true, id]); // as if the old connection were a dead one
  assert.match((await gone)[0], /^transport (close|error)$/);
  assert.equal(await ask(thief, "echo", "alive"), "alive");
}
