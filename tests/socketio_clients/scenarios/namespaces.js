// Several namespaces on one connection: they share nothing but that.

import assert from "node:assert/strict";

import { ask, collect, next, range } from "../stage.js";

async function three(stage) {
  const root = await stage.enter();
  const [chat, dynamic] = [root.io.socket("/chat"), root.io.socket("/dynamic-7")];
  await Promise.all([stage.connected(chat), stage.connected(dynamic)]);
  return [root, chat, dynamic];
}

export async function share_a_connection(stage) {
  const sockets = await three(stage);
  assert.equal(new Set(sockets.map((socket) => socket.io.engine)).size, 1);
  assert.equal(new Set(sockets.map((socket) => socket.id)).size, 3);
  const who = await Promise.all(sockets.map((socket) => ask(socket, "who")));
  assert.deepEqual(who.map(({ namespace }) => namespace), ["/", "/chat", "/dynamic-7"]);
  assert.deepEqual(who.map(({ id }) => id), sockets.map(({ id }) => id));
}

export async function share_no_rooms(stage) {
  const sockets = await three(stage);
  const room = stage.unique("shared");
  const heard = sockets.map((socket) => collect(socket, "word"));
  for (const socket of sockets) await ask(socket, "join", room);
  for (const socket of sockets) await ask(socket, "say", [room], [], "word", socket.nsp);
  for (const socket of sockets) await ask(socket, "echo", "fence");
  assert.deepEqual(heard, [["/"], ["/chat"], ["/dynamic-7"]]);
}

export async function dynamic_ones_share_nothing_either(stage) {
  const [one, two] = [await stage.enter("/dynamic-1"), await stage.enter("/dynamic-2")];
  const [first, second] = [collect(one, "word"), collect(two, "word")];
  const word = stage.unique("word");
  await ask(one, "say", [], [], "word", word);
  await ask(two, "echo", "fence");
  await ask(one, "echo", "fence");
  assert.deepEqual([first.includes(word), second.includes(word)], [true, false]);
}

export async function have_acks_of_their_own(stage) {
  const sockets = await three(stage);
  const asked = range(1, 30).flatMap((number) => sockets.map((socket) => [socket.nsp, number, socket]));
  const answers = await Promise.all(asked.map(([name, number, socket]) => ask(socket, "echo", [name, number])));
  assert.deepEqual(answers, asked.map(([name, number]) => [name, number]));
}

export async function are_left_one_by_one(stage) {
  const [root, chat, dynamic] = await three(stage);
  const { id } = chat;
  const gone = next(chat, "disconnect");
  chat.disconnect();
  assert.equal((await gone)[0], "io client disconnect");
  assert.equal(await ask(root, "echo", 1), 1);
  dynamic.emit("kick");
  assert.equal((await next(dynamic, "disconnect"))[0], "io server disconnect");
  assert.equal(await ask(root, "echo", 2), 2);
  chat.connect();
  await stage.connected(chat);
  assert.notEqual(chat.id, id);
  assert.equal((await ask(chat, "who")).namespace, "/chat");
}

export async function one_may_be_refused(stage) {
  const root = await stage.enter();
  const refused = root.io.socket("/chat", { auth: { refuse: { code: 1 } } });
  const [error] = await next(refused, "connect_error");
  assert.deepEqual([error.message, error.data], ["refused", { code: 1 }]);
  const unknown = root.io.socket("/nowhere");
  assert.equal((await next(unknown, "connect_error"))[0].message, "Invalid namespace");
  assert.equal(await ask(root, "echo", "alive"), "alive");
}

export async function close_the_connection_when_the_last_is_left(stage) {
  const sockets = await three(stage);
  const closed = next(sockets[0].io.engine, "close");
  const gone = Promise.all(sockets.map((socket) => next(socket, "disconnect")));
  for (const socket of sockets) socket.emit("kick");
  assert.deepEqual((await gone).map(([reason]) => reason), Array(3).fill("io server disconnect"));
  await closed;
}

export async function carry_binary_side_by_side(stage) {
  const sockets = await three(stage);
  const answers = range(1, 20).flatMap((number) => sockets.map((socket) => ask(socket, "echo", Buffer.from(socket.nsp + number))));
  const expected = range(1, 20).flatMap((number) => sockets.map((socket) => Buffer.from(socket.nsp + number)));
  assert.deepEqual(await Promise.all(answers), expected);
}
