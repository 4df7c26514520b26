// Many clients whose connections break at any byte, while numbered messages flow to their rooms.

import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";

import { ask, collect, range, until } from "../stage.js";

const TRANSPORTS = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };
const IN_A_ROOM = 10;

class Client {
  constructor(stage, at) {
    const [name, transports] = Object.entries(TRANSPORTS)[at % 3];
    // A WebSocket that breaks between its handshake and Engine.IO's is noticed by this client after `timeout` only.
    this.socket = stage.open("/", { transports, url: stage.options.urls[name], timeout: 5_000 });
    this.got = collect(this.socket, "tick");
    this.spoilt = 0;
    this.drops = 0;
    this.lost = 0; // how often it came back as somebody new
    this.socket.on("tick", (number, extra) => (this.spoilt += !this.whole(number, extra)));
    this.socket.on("disconnect", () => this.drops++);
    this.socket.once("connect", () => this.socket.on("connect", () => (this.lost += !this.socket.recovered)));
  }

  whole(number, extra) {
    return number % 5 ? typeof extra === "string" : extra.bytes.equals(Buffer.alloc(40, number)); // a string is the offset
  }

  check(room, last) {
    const wrong = this.got.findIndex((number, at) => number !== at + 1);
    const transport = this.socket.io.opts.transports.join();
    const seen = wrong < 0 ? "" : `, ${this.got[wrong]} instead of ${wrong + 1}`;
    assert.ok(this.lost === 0 && this.spoilt === 0 && wrong < 0 && this.got.length === last,
      `${transport} in ${room}: ${this.got.length} of ${last}${seen}; ${this.drops} drops, ${this.lost} not recovered, ${this.spoilt} spoilt`); // prettier-ignore
  }
}

/** Send messages until there have been enough drops. Returns the number of the last. */
async function flow(stage, clients, rooms) {
  const driver = await stage.enter("/", { url: stage.direct, transports: ["websocket"] });
  const say = (number) => ask(driver, "flow", rooms, number, number % 5 ? null : Buffer.alloc(40, number));
  await say(1);
  await until(() => clients.every(({ got }) => got.length > 0), "the first message");
  await stage.control("drop", true);
  const drops = () => clients.reduce((sum, client) => sum + client.drops, 0);
  let number = 1;
  for (let seen = -1, since = Date.now(); drops() < stage.options.drops; await wait(10)) {
    await say(++number);
    if (drops() > seen) [seen, since] = [drops(), Date.now()];
    assert.ok(Date.now() - since < 15_000, `no more drops after ${seen}`);
  }
  await stage.control("drop", false);
  return number;
}

export async function everybody_sees_everything(stage) {
  const clients = [];
  while (clients.length < stage.options.clients) {
    const some = range(1, 50).map((at) => new Client(stage, at));
    await Promise.all(some.map(({ socket }) => stage.connected(socket)));
    clients.push(...some);
  }
  const rooms = range(1, Math.ceil(clients.length / IN_A_ROOM)).map((at) => stage.unique(`soak-${at}`));
  const roomOf = (at) => rooms[Math.floor(at / IN_A_ROOM)];
  await Promise.all(clients.map(({ socket }, at) => ask(socket, "join", roomOf(at))));
  const last = await flow(stage, clients, rooms);
  await until(() => clients.every(({ got, lost }) => lost > 0 || got.length >= last), "the last message", 60_000).catch(() => {});
  clients.forEach((client, at) => client.check(roomOf(at), last));
  return { drops: clients.reduce((sum, client) => sum + client.drops, 0), messages: last * clients.length };
}
everybody_sees_everything.patience = 24 * 3600 * 1000; // it watches its own progress
