// Socket.IO on Node, set up to be at its best: WebSocket only, no compression, nothing served but the socket.
// Usage: node socketio.js PORT
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, {
  transports: ["websocket"],
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

http.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
