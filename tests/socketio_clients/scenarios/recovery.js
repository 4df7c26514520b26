// Connection state recovery: who comes back in time is who it was, and gets what it missed.

import assert from "node:assert/strict";

import { ask, collect, next, range } from "../stage.js";

/** A client in a room that has had its first event, and another past the proxy that sends to the room. */
async function pair(stage, namespace = "/") {
  const room = stage.unique("recovery");
  const [socket, other] = [await stage.enter(namespace), await stage.enter(namespace, { url: stage.direct })];
  const got = collect(socket, "tick");
  await ask(socket, "join", room);
  await ask(other, "count", room, 1, 1);
  await ask(socket, "echo", "fence");
  assert.deepEqual(got, [1]);
  return { socket, other, room, got };
}

async function assertRecovered(socket, got, last) {
  assert.equal(socket.recovered, true);
  await ask(socket, "echo", "fence");
  assert.deepEqual(got, range(1, last));
}

async function assertNew(socket, id) {
  assert.equal(socket.recovered, false);
  assert.notEqual(socket.id, id);
  assert.deepEqual(await ask(socket, "rooms"), []);
  assert.equal(await ask(socket, "recall"), null);
}

export async function restores_id_rooms_data_and_what_was_missed(stage) {
  const { socket, other, room, got } = await pair(stage);
  const { id } = socket;
  const second = stage.unique("second");
  await ask(socket, "join", second);
  await ask(socket, "remember", { value: [1, "two"] });
  await stage.drop(socket);
  await ask(other, "count", room, 2, 41);
  await ask(other, "count", second, 42, 50);
  await stage.resume(socket);
  assert.equal(socket.id, id);
  await assertRecovered(socket, got, 50);
  assert.deepEqual(await ask(socket, "rooms"), [room, second].sort());
  assert.deepEqual(await ask(socket, "recall"), { value: [1, "two"] });
  await ask(other, "count", room, 51, 60);
  await assertRecovered(socket, got, 60);
}

export async function when_nothing_was_missed(stage) {
  const { socket, other, room, got } = await pair(stage);
  const { id } = socket;
  await stage.drop(socket);
  await stage.resume(socket);
  assert.equal(socket.id, id);
  await assertRecovered(socket, got, 1);
  await ask(other, "count", room, 2, 5);
  await assertRecovered(socket, got, 5);
}

export async function as_often_as_it_is_needed(stage) {
  const { socket, other, room, got } = await pair(stage);
  const { id } = socket;
  for (const round of range(1, 8)) {
    await stage.drop(socket);
    await ask(other, "count", room, round * 5 - 3, round * 5 + 1);
    await stage.resume(socket);
    assert.equal(socket.id, id);
    await assertRecovered(socket, got, round * 5 + 1);
  }
}

export async function only_what_was_meant_for_it(stage) {
  const { socket, other, room, got } = await pair(stage);
  await stage.drop(socket);
  await ask(other, "count", stage.unique("elsewhere"), 100, 120);
  await ask(other, "say", [room], [socket.id, room], "tick", 200);
  await ask(other, "say", [], [room], "tick", 201);
  await ask(other, "count", room, 2, 3);
  await stage.resume(socket);
  await assertRecovered(socket, got, 3);
}

export async function binary_ones_as_well(stage) {
  const { socket, other, room } = await pair(stage);
  const got = [];
  socket.on("bytes", (...values) => got.push(values.slice(0, 2))); // the server may add its offset
  await stage.drop(socket);
  for (const number of range(1, 5)) {
    await ask(other, "say", [room], [], "bytes", { deep: [Buffer.from([number])] }, Buffer.from("x"));
  }
  await stage.resume(socket);
  assert.equal(socket.recovered, true);
  await ask(socket, "echo", "fence");
  assert.deepEqual(got, range(1, 5).map((number) => [{ deep: [Buffer.from([number])] }, Buffer.from("x")]));
}

export async function in_every_namespace(stage) {
  const [root, chat] = [await pair(stage), await pair(stage, "/chat")];
  const dynamic = root.socket.io.socket("/dynamic-5");
  const ticks = collect(dynamic, "tick");
  await stage.connected(dynamic);
  const { id } = dynamic;
  await ask(dynamic, "burst", 1, 3);
  await stage.drop(root.socket);
  await stage.drop(chat.socket);
  await ask(root.other, "count", root.room, 2, 10);
  await ask(chat.other, "count", chat.room, 2, 20);
  const back = next(dynamic, "connect");
  await stage.resume(root.socket);
  await stage.resume(chat.socket);
  await back;
  assert.equal(dynamic.id, id);
  await assertRecovered(root.socket, root.got, 10);
  await assertRecovered(chat.socket, chat.got, 20);
  await assertRecovered(dynamic, ticks, 3);
}

export async function not_with_a_wrong_offset(stage) {
  const { socket, other, room } = await pair(stage);
  const { id } = socket;
  await ask(socket, "remember", "something");
  await stage.drop(socket);
  await ask(other, "count", room, 2, 3);
  socket._lastOffset = "nonsense";
  await stage.resume(socket);
  await assertNew(socket, id);
}

export async function not_with_a_wrong_session(stage) {
  const { socket } = await pair(stage);
  const { id } = socket;
  await stage.drop(socket);
  socket._pid = "nonsense";
  await stage.resume(socket);
  await assertNew(socket, id);
}

export async function not_with_the_session_of_another_namespace(stage) {
  const { socket } = await pair(stage);
  const { id } = socket;
  const chat = stage.open("/chat", { autoConnect: false });
  await stage.drop(socket);
  [chat._pid, chat._lastOffset] = [socket._pid, socket._lastOffset];
  chat.connect();
  await stage.connected(chat);
  await assertNew(chat, id);
}

export async function not_after_the_clients_disconnect(stage) {
  const { socket } = await pair(stage);
  const { id } = socket;
  await ask(socket, "remember", "something");
  socket.disconnect();
  socket.connect();
  await stage.connected(socket);
  await assertNew(socket, id);
}

export async function not_after_the_servers_disconnect(stage) {
  const { socket } = await pair(stage);
  const { id } = socket;
  const gone = next(socket, "disconnect");
  socket.emit("kick");
  await gone;
  socket.connect();
  await stage.connected(socket);
  await assertNew(socket, id);
}
