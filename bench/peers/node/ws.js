// `ws` on Node with the least protocol that can be measured: JSON objects tagged by `type`, one Set per channel.
// A publication is turned into bytes once and handed to `send` for every subscriber.
// Usage: node ws.js PORT
import { WebSocketServer } from "ws";

const channels = new Map();
const server = new WebSocketServer({
  port: Number(process.argv[2]),
  host: "127.0.0.1",
  backlog: 4096,
  perMessageDeflate: false,
});

function subscribe(socket, name) {
  if (!channels.has(name)) channels.set(name, new Set());
  channels.get(name).add(socket);
  socket.channels.push(name);
}

function publish(name, data) {
  const members = channels.get(name);
  if (!members) return;
  const push = Buffer.from(JSON.stringify({ type: "publication", channel: name, data }));
  for (const member of members) member.send(push, { binary: false });
}

function receive(socket, bytes) {
  const command = JSON.parse(bytes);
  if (command.type === "subscribe") subscribe(socket, command.channel);
  else if (command.type === "publish") publish(command.channel, command.data);
  socket.send(JSON.stringify({ type: "ok", id: command.id }));
}

server.on("connection", (socket) => {
  socket.channels = [];
  socket.on("message", (bytes) => receive(socket, bytes));
  socket.on("error", () => {});
  socket.on("close", () => {
    for (const name of socket.channels) channels.get(name).delete(socket);
  });
});
