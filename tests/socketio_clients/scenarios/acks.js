// Answers, both ways.

import assert from "node:assert/strict";

import { ask, next, range, within } from "../stage.js";

export async function callback_and_promise(stage) {
  const socket = await stage.enter();
  const values = await within(
    new Promise((resolve) => socket.emit("echo", 1, "two", null, (...answer) => resolve(answer))),
    "the callback",
  );
  assert.deepEqual(values, [1, "two", null]);
  assert.deepEqual(await ask(socket, "echo", { three: 3 }), { three: 3 });
}

export async function none_for_what_nobody_handles(stage) {
  const socket = await stage.enter();
  if (!stage.options.reference) {
    const answer = await ask(socket, "nobody listens");
    assert.equal(answer.error.name, "method_not_found"); // rather than nothing
    return;
  }
  await assert.rejects(socket.timeout(150).emitWithAck("nobody listens"), /timed out/);
  const error = await new Promise((resolve) => socket.timeout(150).emit("nobody listens", 1, resolve));
  assert.match(error.message, /timed out/);
  assert.equal(await ask(socket, "echo", "alive"), "alive");
}

export async function many_at_once_go_to_whom_they_belong(stage) {
  const socket = await stage.enter();
  const numbers = range(1, 200);
  assert.deepEqual(await Promise.all(numbers.map((number) => ask(socket, "echo", number))), numbers);
}

export async function two_clients_with_the_same_ids(stage) {
  const [one, two] = [await stage.enter(), await stage.enter()];
  const answers = range(1, 50).flatMap((number) => [ask(one, "echo", `one ${number}`), ask(two, "echo", `two ${number}`)]);
  assert.deepEqual(await Promise.all(answers), range(1, 50).flatMap((number) => [`one ${number}`, `two ${number}`]));
}

export async function of_a_client_to_the_server(stage) {
  const socket = await stage.enter();
  socket.on("question", (value, answer) => setTimeout(() => answer([value, "answered"]), 1));
  assert.deepEqual(await ask(socket, "ask", null, "question", 42, 10_000), { answer: [42, "answered"] });
}

export async function of_another_client(stage) {
  const [one, two] = [await stage.enter(), await stage.enter()];
  two.on("question", (value, answer) => answer(`${value}, says two`));
  assert.deepEqual(await ask(one, "ask", two.id, "question", "yes", 10_000), { answer: "yes, says two" });
}

export async function that_never_come_time_out(stage) {
  const socket = await stage.enter();
  const late = next(socket, "question");
  assert.deepEqual(await ask(socket, "ask", null, "question", 1, 100), { error: "timeout" });
  (await late)[1]("too late");
  assert.equal(await ask(socket, "echo", "alive"), "alive");
}

export async function of_a_whole_room(stage) {
  const sockets = [await stage.enter(), await stage.enter(), await stage.enter()];
  const room = stage.unique("acks");
  for (const [at, socket] of sockets.entries()) {
    await ask(socket, "join", room);
    socket.on("question", (value, answer) => answer(`${value} ${at}`));
  }
  const all = await ask(sockets[0], "ask all", room, "question", "client", 10_000);
  assert.deepEqual(all, { error: null, answers: ["client 0", "client 1", "client 2"] });
  sockets[1].off("question");
  let some = { answers: [] };
  for (let timeout = 200; timeout < 10_000 && some.answers.length < 2; timeout *= 4) {
    some = await ask(sockets[0], "ask all", room, "question", "client", timeout); // the two may be busy
  }
  assert.deepEqual(some, { error: "timeout", answers: ["client 0", "client 2"] });
  const nobody = await ask(sockets[0], "ask all", stage.unique("empty"), "question", "client", 200);
  assert.deepEqual(nobody, { error: null, answers: [] });
}

export async function with_retries(stage) {
  const socket = await stage.enter("/", { retries: 3, ackTimeout: 5_000 });
  const answers = range(1, 10).map((number) => within(socket.emitWithAck("echo", number), `ack ${number}`));
  assert.deepEqual(await Promise.all(answers), range(1, 10));
}
