// Socket.IO on Node with its Redis adapter, as its documentation has it: WebSocket only, no compression.
// Usage: node socketio_cluster.js PORT REDIS_URL
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [port, url] = process.argv.slice(2);
const publisher = createClient({ url });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);
const http = createServer();
const io = new Server(http, {
  adapter: createAdapter(publisher, subscriber),
  transports: ["websocket"],
  perMessageDeflate: false,
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
});

http.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });
