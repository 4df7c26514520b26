// What a scenario acts on: sockets of the stock client that are closed at its end, and a way to have faults made.

import { once } from "node:events";

import { io } from "socket.io-client";
import * as msgpack from "socket.io-msgpack-parser";

export const PATIENCE = Number(process.env.PATIENCE ?? 40_000); // milliseconds, for anything that is awaited
const TRANSPORTS = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };

/** The promise, or an error that names what did not come. */
export async function within(promise, what, patience = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The arguments of the emitter's next `name`. */
export function next(emitter, name) {
  return within(new Promise((resolve) => emitter.once(name, (...values) => resolve(values))), `"${name}"`);
}

/** Return when `condition()` is true. */
export async function until(condition, what, patience = PATIENCE) {
  for (const deadline = Date.now() + patience; !condition(); ) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** `socket.emitWithAck` that does not wait forever. */
export const ask = (socket, ...values) => within(socket.emitWithAck(...values), `the ack of "${values[0]}"`);

/** A list that grows with the first argument of each `name` that the socket gets. */
export function collect(socket, name) {
  const list = [];
  socket.on(name, (value) => list.push(value));
  return list;
}

export const range = (first, last) => Array.from({ length: last - first + 1 }, (_, at) => first + at);

export class Stage {
  #sockets = [];
  #names = 0;

  /** `direct` leads past the proxy, so that faults do not touch it. */
  constructor(url, options, control) {
    this.url = url;
    this.direct = options.direct ?? url;
    this.transport = options.transport ?? "websocket";
    this.options = options;
    this.control = control;
  }

  /** A name that no other scenario uses, in this process or another. */
  unique(name) {
    return `${name}-${process.pid}-${process.hrtime.bigint()}-${++this.#names}`;
  }

  /** A socket that begins to connect. */
  open(namespace = "/", { url = this.url, ...options } = {}) {
    const socket = io(url + namespace, {
      transports: TRANSPORTS[this.transport],
      forceNew: true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 200,
      randomizationFactor: 0,
      ...(this.options.path && { path: this.options.path }),
      ...(this.options.parser === "msgpack" && { parser: msgpack }),
      ...options,
    });
    this.#sockets.push(socket);
    return socket;
  }

  /** A socket that is connected. */
  async enter(namespace, options) {
    const socket = this.open(namespace, options);
    await this.connected(socket);
    return socket;
  }

  /** Return once the socket is connected; raises what refused it. */
  async connected(socket) {
    if (socket.connected) return;
    const refused = new Promise((_, reject) => {
      socket.once("connect_error", (error) => socket.active || reject(error));
    });
    await Promise.race([next(socket, "connect"), refused]);
  }

  /** Return once the socket's transport will change no more. */
  async upgraded({ io: { engine } }) {
    if (this.transport === "upgrade" && engine.transport.name === "polling") await next(engine, "upgrade");
  }

  /** Break the socket's connection and keep it away: it does not come back by itself. */
  async drop(socket) {
    socket.io.reconnection(false);
    const gone = next(socket, "disconnect");
    socket.io.engine.close();
    await gone;
    // The reference recovers those only whom it saw go, which it does not tell.
    if (this.options.reference) await new Promise((resolve) => setTimeout(resolve, 100));
  }

  /** Let a dropped socket come back. */
  async resume(socket) {
    const back = next(socket, "connect");
    socket.connect();
    await back;
  }

  close() {
    for (const socket of this.#sockets) {
      socket.removeAllListeners();
      socket.io.reconnection(false);
      socket.disconnect();
      socket.io.engine?.close();
    }
  }
}

/** Ask the program that started us, by a line of JSON, and wait for its line. */
export function control(lines) {
  let before = Promise.resolve();
  return (ask, value = null) => {
    const answer = before.then(async () => {
      process.stdout.write(`${JSON.stringify({ ask, value })}\n`);
      const [line] = await within(once(lines, "line"), `"${ask}" to be done`);
      return JSON.parse(line);
    });
    before = answer.catch(() => {});
    return answer;
  };
}
