// Socket.IO on Node, set up to be at its best: WebSocket only (unless told), no compression, nothing served but the
// socket. Usage: node socketio.js PORT [polling | REDIS_URL]; with a URL it is a node among others, by its Redis adapter.
import { createServer } from "node:http";
import { Server } from "socket.io";

const [port, mode = ""] = process.argv.slice(2);

async function redisAdapter(url) {
  const [{ createAdapter }, { createClient }] = await Promise.all([import("@socket.io/redis-adapter"), import("redis")]);
  const publisher = createClient({ url });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  return createAdapter(publisher, subscriber);
}

const http = createServer();
const io = new Server(http, {
  adapter: mode.startsWith("redis:") ? await redisAdapter(mode) : undefined,
  transports: mode === "polling" ? ["polling", "websocket"] : ["websocket"],
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
});

io.on("connection", (socket) => {
  socket.on("subscribe", (channel, ack) => {
    socket.join(channel);
    ack();
  });
  socket.on("publish", (channel, data, ack) => {
    io.to(channel).emit("message", data);
    ack();
  });
  socket.on("echo", (_data, ack) => ack());
});

http.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });
