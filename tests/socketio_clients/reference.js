// The application of app.py on Node's Socket.IO: the oracle that the scenarios are held against.
// usage: node reference.js '{"recovery": 2000, "parser": "msgpack", ...}'; prints its port in a line of JSON.

import { createServer } from "node:http";
import { setImmediate as turn } from "node:timers/promises";

import { Server } from "socket.io";
import * as msgpack from "socket.io-msgpack-parser";

const options = JSON.parse(process.argv[2] ?? "{}");
const http = createServer((request, response) => response.end());
const io = new Server(http, {
  path: options.path ?? "/socket.io",
  cors: { origin: true, credentials: true },
  ...(options.pingInterval && { pingInterval: options.pingInterval, pingTimeout: options.pingTimeout }),
  ...(options.recovery && { connectionStateRecovery: { maxDisconnectionDuration: options.recovery } }),
  ...(options.parser === "msgpack" && { parser: msgpack }),
});
const reasons = new Map(); // socket id -> why it went; a list, as it should be told once

function refuse(socket, next) {
  const { refuse } = socket.handshake.auth;
  next(refuse && Object.assign(new Error("refused"), { data: refuse }));
}

async function count(target, event, first, last, ...rest) {
  for (let number = first; number <= last; number++) {
    target.emit(event, number, ...rest);
    if (number % 10 === 0) await turn();
  }
}

function serve(socket) {
  const space = socket.nsp;
  const received = [];
  const { auth } = socket.handshake;
  if (auth.ticks) count(socket, "tick", 1, auth.ticks);

  socket.on("echo", (...values) => values.pop()(...values));
  socket.on("again", (...values) => socket.emit("again", ...values));
  socket.on("who", (answer) => {
    const { query, headers } = socket.handshake;
    answer({ id: socket.id, namespace: space.name, auth, query, flavour: headers["x-flavour"] ?? null });
  });
  socket.on("remember", (value, answer) => answer((socket.data.value = value)));
  socket.on("recall", (answer) => answer(socket.data.value ?? null));
  socket.on("number", (number) => received.push(number));
  socket.on("numbers", (answer) => answer(received));

  socket.on("join", async (room, answer) => answer(await socket.join(room)));
  socket.on("leave", async (room, answer) => answer(await socket.leave(room)));
  socket.on("rooms", (answer) => answer([...socket.rooms].filter((room) => room !== socket.id).sort()));
  socket.on("close room", (room, answer) => answer(space.in(room).socketsLeave(room)));
  socket.on("kick room", (room, answer) => answer(space.in(room).disconnectSockets()));
  socket.on("say", (rooms, except, event, ...values) => {
    const answer = values.pop();
    const one = rooms.length ? space.to(rooms) : space;
    answer(one.except(except).emit(event, ...values));
  });
  socket.on("say to others", (room, event, ...values) => socket.to(room).emit(event, ...values));
  socket.on("say volatile", (event, value, answer) => answer(socket.volatile.emit(event, value)));
  socket.on("count", async (room, first, last, answer) => answer(await count(space.to(room), "tick", first, last)));
  socket.on("flow", (rooms, number, bytes, answer) => {
    for (const room of rooms) bytes ? space.to(room).emit("tick", number, { bytes }) : space.to(room).emit("tick", number);
    answer();
  });
  socket.on("burst", async (first, last, answer) => {
    for (let number = first; number <= last; number++) socket.emit("tick", number);
    answer();
  });

  socket.on("ask", async (id, event, value, timeout, answer) => {
    const who = space.sockets.get(id ?? socket.id);
    try {
      answer({ answer: await who.timeout(timeout).emitWithAck(event, value) });
    } catch {
      answer({ error: "timeout" });
    }
  });
  socket.on("ask all", (room, event, value, timeout, answer) =>
    space.to(room).timeout(timeout).emit(event, value, (error, answers) =>
      answer({ error: error ? "timeout" : null, answers: answers.sort() }),
    ),
  );

  socket.on("kick", () => socket.disconnect());
  socket.on("why", (id, answer) => answer(reasons.get(id) ?? []));
  socket.on("disconnect", (reason) => reasons.set(socket.id, [...(reasons.get(socket.id) ?? []), reason]));
}

for (const name of ["/", "/chat", /^\/dynamic-\d+$/]) io.of(name).use(refuse).on("connection", serve);
http.listen(options.port ?? 0, "127.0.0.1", () => console.log(JSON.stringify({ port: http.address().port })));
