// Rooms: who is in hears, once; who is not does not.

import assert from "node:assert/strict";

import { ask, collect, next } from "../stage.js";

/** Clients in rooms: `crowd(stage, ["a"], ["a", "b"])`. Each has `heard`; `hush` waits until all have heard all. */
async function crowd(stage, ...rooms) {
  const prefix = stage.unique("room");
  const sockets = [];
  for (const names of rooms) {
    const socket = await stage.enter();
    socket.heard = collect(socket, "word");
    for (const name of names) await ask(socket, "join", prefix + name);
    sockets.push(socket);
  }
  const say = (socket, to, except, word) =>
    ask(socket, "say", to.map((name) => prefix + name), except.map((name) => prefix + name), "word", word);
  const hush = () => Promise.all(sockets.map((socket) => ask(socket, "echo", "hush")));
  return { sockets, say, hush, prefix };
}

const heard = (sockets) => sockets.map((socket) => socket.heard);

export async function who_joined_hears_until_it_leaves(stage) {
  const { sockets, say, hush, prefix } = await crowd(stage, ["a"], []);
  const [inside, outside] = sockets;
  await say(outside, ["a"], [], "first");
  await ask(inside, "leave", `${prefix}a`);
  await say(outside, ["a"], [], "second");
  await ask(inside, "join", `${prefix}a`);
  await ask(inside, "join", `${prefix}a`); // twice is once
  await say(outside, ["a"], [], "third");
  await hush();
  assert.deepEqual(heard(sockets), [["first", "third"], []]);
}

export async function in_several_rooms_hears_once(stage) {
  const { sockets, say, hush } = await crowd(stage, ["a"], ["b"], ["a", "b"], ["c"], []);
  await say(sockets[0], ["a", "b"], [], "to a and b");
  await say(sockets[0], ["a", "b"], ["b"], "to a without b");
  await say(sockets[4], ["c"], [], "to c");
  await hush();
  const [both, first] = ["to a and b", "to a without b"];
  assert.deepEqual(heard(sockets), [[both, first], [both], [both], ["to c"], []]);
}

export async function everybody_except_a_room(stage) {
  const { sockets, hush, prefix } = await crowd(stage, ["a"], ["b"], []);
  const word = stage.unique("word"); // other scenarios' clients hear it too
  await ask(sockets[0], "say", [], [`${prefix}a`], "word", word);
  await hush();
  assert.deepEqual(heard(sockets).map((list) => list.includes(word)), [false, true, true]);
}

export async function sender_does_not_hear_itself(stage) {
  const { sockets, hush, prefix } = await crowd(stage, ["a"], ["a"], []);
  sockets[0].emit("say to others", `${prefix}a`, "word", "psst");
  sockets[2].emit("say to others", `${prefix}a`, "word", "hey");
  await hush();
  await hush();
  assert.deepEqual(heard(sockets).map((list) => list.sort()), [["hey"], ["hey", "psst"], []]);
}

export async function one_client_by_its_id(stage) {
  const { sockets, hush } = await crowd(stage, [], [], []);
  await ask(sockets[0], "say", [sockets[1].id], [], "word", "you");
  await ask(sockets[0], "say", [sockets[1].id, sockets[2].id], [sockets[1].id], "word", "you there");
  await hush();
  assert.deepEqual(heard(sockets), [[], ["you"], ["you there"]]);
}

export async function knows_its_rooms(stage) {
  const socket = await stage.enter();
  const [one, two, odd] = ["one", "two", "ödd 🙂 / room, [1]"].map((name) => stage.unique(name));
  for (const room of [one, two, odd]) await ask(socket, "join", room);
  await ask(socket, "leave", two);
  await ask(socket, "leave", "never joined");
  assert.deepEqual(await ask(socket, "rooms"), [one, odd].sort());
}

export async function closed_room_is_empty(stage) {
  const { sockets, say, hush, prefix } = await crowd(stage, ["a"], ["a", "b"], []);
  await ask(sockets[2], "close room", `${prefix}a`);
  await say(sockets[2], ["a"], [], "to a");
  await say(sockets[2], ["b"], [], "to b");
  await hush();
  assert.deepEqual(heard(sockets), [[], ["to b"], []]);
  assert.deepEqual(await ask(sockets[1], "rooms"), [`${prefix}b`]);
}

export async function all_of_a_room_are_sent_away(stage) {
  const { sockets, prefix } = await crowd(stage, ["a"], ["a"], ["b"]);
  const gone = Promise.all([next(sockets[0], "disconnect"), next(sockets[1], "disconnect")]);
  await ask(sockets[2], "kick room", `${prefix}a`);
  assert.deepEqual((await gone).map(([reason]) => reason), Array(2).fill("io server disconnect"));
  assert.equal(await ask(sockets[2], "echo", "still here"), "still here");
}

export async function are_left_at_a_disconnect(stage) {
  const { sockets, say, hush } = await crowd(stage, ["a"], []);
  const [inside, outside] = sockets;
  inside.disconnect();
  inside.connect();
  await stage.connected(inside);
  assert.deepEqual(await ask(inside, "rooms"), []);
  await say(outside, ["a"], [], "anybody?");
  await hush();
  assert.deepEqual(heard(sockets), [[], []]);
}
