// What an application does, in whichever runtime: `HUBBUB_URL` and `HUBBUB_TOKEN` in its environment, a line of JSON for
// each step on its output. It waits for its connection to be cut when it says so.

import { Chat } from "../../dist/chat.js";
import { Hubbub } from "../../dist/index.js";

const environment = globalThis.Deno ? globalThis.Deno.env.toObject() : globalThis.process.env;
const { HUBBUB_URL: url, HUBBUB_TOKEN: token } = environment;
const say = (step) => console.log(JSON.stringify(step));
const until = async (condition) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};
say({ runtime: globalThis.Deno ? "deno" : globalThis.Bun ? "bun" : "node" });

for (const transport of ["websocket", "sse", "polling"]) {
  const hubbub = new Hubbub(url, { token, transports: [transport], WebSocket: await webSocket() });
  const channel = hubbub.channel(`orders:${transport}`);
  const seen = [];
  await channel.subscribe((publication) => seen.push(publication.data)).ready;
  await channel.publish("x", 1);
  await until(() => seen.length === 1);
  const { session } = hubbub.connection.get();
  say({ cut: transport });
  // Whether it notices is the runtime's affair: Bun asks again by itself where a poll broke off.
  await channel.publish("x", 2);
  await until(() => seen.length === 2);
  await hubbub.connect();
  const state = hubbub.connection.get();
  say({ transport: state.transport, seen, same: state.session === session });
  if (transport === "websocket") await talk(hubbub);
  await hubbub.close();
}
say({ done: true });

async function talk(hubbub) {
  const chat = new Chat(hubbub);
  await chat.start();
  const made = await chat.call("conversations.create", { kind: "group", name: "Release", members: [] });
  const list = chat.messages(made.conversation.id);
  const leave = list.subscribe(() => {});
  const sending = chat.send(made.conversation.id, { text: "Hello" });
  await sending.sent;
  await until(() => list.get().items.some((item) => item.key === sending.key && item.status === "sent"));
  say({ conversations: chat.conversations.get().map((each) => each.conversation.name) });
  leave();
  list.release();
  chat.stop();
}

/** Node has none of its own before 22. */
async function webSocket() {
  return globalThis.WebSocket ?? (await import("ws")).WebSocket;
}
