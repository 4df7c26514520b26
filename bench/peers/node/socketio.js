// Socket.IO on Node, set up to be at its best: WebSocket only (unless told), no compression, nothing served but the
// socket. Usage: node socketio.js PORT [polling]
import { createServer } from "node:http";
import { Server } from "socket.io";

const [port, polling] = process.argv.slice(2);
const http = createServer();
const io = new Server(http, {
  transports: polling === "polling" ? ["polling", "websocket"] : ["websocket"],
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
