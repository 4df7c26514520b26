// The reference implementation: Socket.IO on Node, with the handlers of the protocol's own test suite and a few more.
// usage: node server.cjs [OPTIONS as JSON for the Server]; prints the port, ends with its stdin.
const { createRequire } = require("node:module");
const { createServer } = require("node:http");
const { join } = require("node:path");

const here = createRequire(join(__dirname, "../socketio_clients/package.json"));
const { Server } = here("socket.io");

const { parser, ...options } = JSON.parse(process.argv[2] ?? "{}");
if (parser) options.parser = here(parser);

const server = createServer((request, response) => {
  response.writeHead(404);
  response.end();
});
const io = new Server(server, { serveClient: false, ...options });

const reasons = new Map(); // socket id -> why it went

function connected(socket) {
  socket.emit("auth", socket.handshake.auth);
  socket.on("message", (...args) => socket.emit("message-back", ...args));
  socket.on("message-with-ack", (...args) => args.pop()(...args));
  socket.on("burst", (count, size) => {
    for (let at = 0; at < count; at++) socket.emit("one", at, "x".repeat(size));
  });
  socket.on("ask", (...args) => socket.emit("question", ...args, (...answer) => socket.emit("answered", ...answer)));
  socket.on("leave", () => socket.disconnect());
  socket.on("kick", () => socket.disconnect(true));
  socket.on("parting", () => {
    socket.emit("last words");
    socket.disconnect(true);
  });
  socket.on("say then leave", () => {
    socket.emit("last words");
    socket.disconnect();
  });
  socket.on("drop", () => socket.conn.close());
  socket.on("why", (id, ack) => ack(reasons.get(id) ?? null));
  socket.on("disconnect", (reason) => reasons.set(socket.id, reason));
}

io.on("connection", connected);
io.of("/custom").on("connection", connected);
io.of(/^\/dynamic-\d+$/).on("connection", connected);
io.of("/refused").use((socket, next) => {
  const error = new Error("not you");
  error.data = { code: 7 };
  next(error);
});
io.of("/refused-plainly").use((socket, next) => next(new Error("no")));
io.of("/picky").use((socket, next) => next(socket.handshake.auth.token === "abc" ? undefined : new Error("bad token")));
io.of("/picky").on("connection", connected);

server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
