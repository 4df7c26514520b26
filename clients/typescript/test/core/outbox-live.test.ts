// The outbox against a real server: what was written offline is there afterwards, whole, once, in order.

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { MessagePage, MyConversation } from "../../src/generated/chat.js";
import { Hubbub, memoryStorage, Outbox } from "../../src/index.js";
import { FaultProxy } from "../proxy.js";
import { Server, until } from "../server.js";

let server: Server;
let proxy: FaultProxy;
let hubbub: Hubbub;
let outbox: Outbox;

beforeAll(async () => {
  server = await Server.start();
});
afterAll(() => server.stop());
afterEach(async () => {
  outbox?.close();
  await hubbub?.close();
  await proxy?.stop();
});

async function conversation(name: string): Promise<string> {
  proxy = await FaultProxy.start(server);
  hubbub = new Hubbub(proxy.url, { token: server.token("ada"), WebSocket });
  outbox = new Outbox(hubbub, memoryStorage());
  const made = await hubbub.call<MyConversation>(
    "chat.conversations.create",
    { kind: "group", name },
    { key: name },
  );
  return made.conversation.id;
}

async function texts(id: string): Promise<string[]> {
  const all: string[] = [];
  for (let after = 0; ; ) {
    const page = await hubbub.call<MessagePage>(
      "chat.messages.list",
      { conversation: id, after, limit: 100 },
      { read: true },
    );
    if (page.messages.length === 0) return all;
    for (const { seq, parts } of page.messages) {
      after = seq;
      const [part] = parts ?? [];
      if (part?.type === "text") all.push((part as { text: string }).text);
    }
  }
}

const send = (id: string, text: string) =>
  outbox.add({
    method: "chat.messages.send",
    params: { conversation: id, parts: [{ type: "text", text }] },
    group: id,
  });

test("1,000 messages written offline arrive once, in order, though the network breaks on the way", async () => {
  const id = await conversation("offline");
  proxy.refuse = () => true;
  proxy.cut();
  await until(() => hubbub.connection.get().status === "recovering");
  const written = Array.from({ length: 1000 }, (_, n) => `message ${n}`);
  for (const text of written) send(id, text);
  expect(outbox.entries.get()).toHaveLength(1000);
  proxy.refuse = undefined;
  hubbub.reconnect();
  const left = () => outbox.entries.get().length;
  for (const rest of [800, 600, 400, 200]) {
    await until(() => left() <= rest, `${rest} are left`, 50_000);
    proxy.cut();
  }
  await until(() => left() === 0, "all are sent", 50_000);
  expect(await texts(id)).toEqual(written);
}, 120_000);

test("kill -9 in the middle: what was acknowledged is there, and the rest follows", async () => {
  const own = server;
  const id = await conversation("killed");
  const written = Array.from({ length: 60 }, (_, n) => `message ${n}`);
  for (const text of written) send(id, text);
  await until(() => outbox.entries.get().length <= 40);
  await own.down("SIGKILL");
  await own.up();
  await until(() => outbox.entries.get().length === 0, "all are sent", 50_000);
  expect(await texts(id)).toEqual(written);
}, 120_000);

test("what the server refuses is marked, and the others of its group arrive", async () => {
  const id = await conversation("refused");
  send(id, "one");
  const bad = send(id, "");
  const good = send(id, "two");
  await outbox.result(good.id);
  expect(outbox.entries.get()).toMatchObject([{ id: bad.id, state: "failed", error: { temporary: false } }]);
  expect(await texts(id)).toEqual(["one", "two"]);
});
