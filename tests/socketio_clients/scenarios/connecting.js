// How clients come in, and who is not let in.

import assert from "node:assert/strict";

import { ask, next, within } from "../stage.js";

export async function connects(stage) {
  const socket = await stage.enter();
  const { engine } = socket.io;
  assert.match(socket.id, /^[\w-]{10,}$/);
  assert.ok(!socket.recovered);
  assert.notEqual(socket.id, engine.id); // who knows the one must not know the other
  await stage.upgraded(socket);
  assert.equal(engine.transport.name, stage.transport === "upgrade" ? "websocket" : stage.transport);
  const { id, namespace, auth } = await ask(socket, "who");
  assert.deepEqual({ id, namespace, auth }, { id: socket.id, namespace: "/", auth: {} });
}

export async function auth_payload_arrives(stage) {
  const auth = { key: "kéy", list: [1, null, { deep: true }] };
  const [plain, called] = [
    await stage.enter("/", { auth }),
    await stage.enter("/", { auth: (give) => setTimeout(() => give(auth), 1) }),
  ];
  assert.deepEqual((await ask(plain, "who")).auth, auth);
  assert.deepEqual((await ask(called, "who")).auth, auth);
}

export async function refusal_carries_data(stage) {
  const refuse = { code: 17, why: ["é", { deep: null }] };
  for (const namespace of ["/", "/chat", "/dynamic-3"]) {
    const socket = stage.open(namespace, { auth: { refuse } });
    const [error] = await next(socket, "connect_error");
    assert.equal(error.message, "refused");
    assert.deepEqual(error.data, refuse);
    assert.equal(socket.active, false); // it does not try again
  }
}

export async function refused_client_may_try_again(stage) {
  const socket = stage.open("/", { auth: { refuse: "not yet" } });
  await next(socket, "connect_error");
  socket.auth = { key: "better" };
  socket.connect();
  await stage.connected(socket);
  assert.deepEqual((await ask(socket, "who")).auth, { key: "better" });
}

export async function unknown_namespace_is_refused(stage) {
  for (const namespace of ["/nowhere", "/dynamic-", "/dynamic-1x", "/Chat"]) {
    const socket = stage.open(namespace);
    const [error] = await next(socket, "connect_error");
    assert.equal(error.message, "Invalid namespace", namespace);
  }
}

export async function query_and_headers_arrive(stage) {
  const socket = await stage.enter("/", {
    query: { colour: "röt & blau", empty: "" },
    extraHeaders: { "X-Flavour": "sweet" },
    withCredentials: true,
  });
  const { query, flavour } = await ask(socket, "who");
  assert.equal(flavour, "sweet");
  assert.equal(query.colour, "röt & blau");
  assert.equal(query.empty, "");
  assert.equal(query.EIO, "4");
}

export async function force_new_takes_a_connection_of_its_own(stage) {
  const [one, two] = [await stage.enter(), await stage.enter()];
  assert.notEqual(one.io, two.io);
  assert.notEqual(one.io.engine.id, two.io.engine.id);
  assert.notEqual(one.id, two.id);
}

export async function comes_back_after_its_own_disconnect(stage) {
  const socket = await stage.enter();
  const { id } = socket;
  const gone = next(socket, "disconnect");
  socket.disconnect();
  assert.equal((await gone)[0], "io client disconnect");
  socket.connect();
  await stage.connected(socket);
  assert.notEqual(socket.id, id);
  assert.equal((await ask(socket, "who")).id, socket.id);
}

export async function buffers_what_is_sent_before_it_is_connected(stage) {
  const socket = stage.open();
  for (let number = 1; number <= 20; number++) socket.emit("number", number);
  const numbers = await ask(socket, "numbers");
  assert.deepEqual(numbers, Array.from({ length: 20 }, (_, at) => at + 1));
}

export async function offers_a_subprotocol(stage) {
  const socket = await stage.enter("/", { protocols: ["chat", "superchat"] });
  assert.equal(socket.io.engine.transport.ws.protocol, "chat");
  assert.equal(await ask(socket, "echo", "hello"), "hello");
}
offers_a_subprotocol.only = ["websocket"];

export async function goes_straight_to_websocket_when_it_remembers_the_upgrade(stage) {
  const socket = await stage.enter("/", { rememberUpgrade: true });
  await stage.upgraded(socket);
  await stage.drop(socket);
  await stage.resume(socket);
  assert.equal(socket.io.engine.transport.name, "websocket");
  assert.equal(await ask(socket, "echo", "again"), "again");
}
goes_straight_to_websocket_when_it_remembers_the_upgrade.only = ["upgrade"];

export async function many_connect_at_once_on_one_manager(stage) {
  const first = stage.open("/dynamic-0", { forceNew: true });
  const others = Array.from({ length: 9 }, (_, at) => first.io.socket(`/dynamic-${at + 1}`));
  await Promise.all([first, ...others].map((socket) => stage.connected(socket)));
  const names = await within(
    Promise.all(others.map(async (socket) => (await ask(socket, "who")).namespace)),
    "everybody's name",
  );
  assert.deepEqual(names, others.map((_, at) => `/dynamic-${at + 1}`));
}
