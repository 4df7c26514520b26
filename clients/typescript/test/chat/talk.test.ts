import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { ChatEvent } from "../../src/chat.js";
import { FaultProxy } from "../proxy.js";
import { follow, texts, until, World } from "./world.js";

let world: World;
beforeAll(async () => {
  world = await World.start({
    settings: {
      "chat.typing_interval": 0.1,
      "chat.typing_ttl": 0.4,
      "chat.presence_grace": 0.1,
      "chat.receipts_interval": 0.02,
    },
  });
});
afterAll(() => world.stop());
afterEach(() => world.leave());

test("what is written is shown at once, and confirmed under the same key", async () => {
  const id = await world.group(["ada", "bob"]);
  const ada = await world.enter("ada");
  const bob = await world.enter("bob");
  const list = follow(ada.chat.messages(id));
  const theirs = follow(bob.chat.messages(id));
  await until(() => list.get().atEnd && theirs.get().atEnd);

  const keys = new Set<string>();
  const shown: number[] = [];
  list.subscribe(() => {
    const items = list.get().items.filter((each) => each.message.parts?.[0]?.type === "text");
    for (const each of items) keys.add(each.key);
    shown.push(items.length);
  });
  const { key, sent } = ada.chat.send(id, { text: "Hello" });
  expect(list.get().items.at(-1)).toMatchObject({
    key,
    message: { seq: 0, sender: "ada" },
    status: "queued",
  });
  const message = await sent;
  await until(() => list.get().items.at(-1)?.status === "sent");
  expect(list.get().items.at(-1)).toMatchObject({ key, message });
  await until(() => texts(theirs.get()).includes("Hello"));
  expect(theirs.get().items.at(-1)?.message).toEqual(message);
  expect(bob.chat.conversation(id).get()).toMatchObject({ unread: 1, lastMessage: message });
  expect(ada.chat.conversation(id).get()).toMatchObject({ unread: 0, lastMessage: message });
  // It was there all the time, once, under one key.
  expect([...keys]).toEqual([key]);
  expect(new Set(shown)).toEqual(new Set([1]));
  expect([...ada.errors, ...bob.errors]).toEqual([]);
});

test("what is sent while away waits in its order behind what is confirmed, and is there once", async () => {
  const id = await world.group(["ada", "bob"]);
  const proxy = await FaultProxy.start(world.server);
  const ada = await world.enter("ada", { url: proxy.url });
  const list = follow(ada.chat.messages(id));
  await until(() => list.get().atEnd);
  proxy.refuse = () => true;
  proxy.cut();
  await until(() => ada.hubbub.connection.get().status !== "connected");
  const sent = ["one", "two", "three"].map((text) => ada.chat.send(id, { text }));
  expect(
    list
      .get()
      .items.slice(-3)
      .map((each) => [each.key, each.status]),
  ).toEqual(sent.map(({ key }) => [key, "queued"]));
  await world.say("bob", id, "meanwhile");
  proxy.refuse = undefined;
  ada.hubbub.reconnect();
  await Promise.all(sent.map((each) => each.sent));
  await until(() => list.get().items.every((each) => each.status === "sent"));
  expect(texts(list.get()).slice(-4)).toEqual(["meanwhile", "one", "two", "three"]);
  expect(
    list
      .get()
      .items.slice(-3)
      .map((each) => each.key),
  ).toEqual(sent.map((each) => each.key));
  const { messages } = await world.call("messages.list", { conversation: id }, "bob");
  expect(messages.length).toBe(list.get().items.length);
  await proxy.stop();
});

test("what is refused stays as failed, and may be retried or thrown away", async () => {
  const id = await world.group(["ada", "bob"], { permissions: { send: "admin" } });
  const bob = await world.enter("bob");
  const list = follow(bob.chat.messages(id));
  await until(() => list.get().atEnd);
  const { key, sent } = bob.chat.send(id, { text: "May I?" });
  await expect(sent).rejects.toMatchObject({ name: "permission_denied" });
  await until(() => list.get().items.at(-1)?.status === "failed");
  const failed = list.get().items.at(-1);
  expect(failed).toMatchObject({ key, error: { name: "permission_denied" } });
  await world.call("conversations.update", { conversation: id, permissions: { send: "member" } }, "ada");
  bob.chat.retry(failed?.outboxId as string);
  await until(() => list.get().items.at(-1)?.status === "sent");
  expect(list.get().items.at(-1)).toMatchObject({ key });

  await world.call("conversations.update", { conversation: id, permissions: { send: "admin" } }, "ada");
  const again = bob.chat.send(id, { text: "And now?" });
  await expect(again.sent).rejects.toThrow();
  await until(() => list.get().items.at(-1)?.status === "failed");
  bob.chat.discard(list.get().items.at(-1)?.outboxId as string);
  await until(() => !texts(list.get()).includes("And now?"));
  expect(bob.chat.outbox.entries.get()).toEqual([]);
});

test("edits, deletions and reactions are shown at once, and taken back when they are refused", async () => {
  const id = await world.group(["ada", "bob"]);
  const seq = await world.say("ada", id, "first");
  const ada = await world.enter("ada");
  const bob = await world.enter("bob");
  const list = follow(ada.chat.messages(id));
  const theirs = follow(bob.chat.messages(id));
  await until(() => list.get().atEnd && theirs.get().atEnd);
  const mine = () => list.get().items.find((each) => each.message.seq === seq);
  const bobs = () => theirs.get().items.find((each) => each.message.seq === seq);

  const edited = ada.chat.edit(id, seq, { text: "second" });
  expect(mine()).toMatchObject({ message: { parts: [{ text: "second" }] }, status: "queued" });
  await edited;
  await until(() => bobs()?.message.version === 2 && mine()?.status === "sent");
  expect(mine()?.message).toEqual(bobs()?.message);

  const reacted = ada.chat.react(id, seq, "+1");
  expect(mine()?.message.reactions).toEqual([{ name: "+1", count: 1, users: ["ada"] }]);
  await reacted;
  await bob.chat.react(id, seq, "+1");
  await until(() => mine()?.message.reactions?.[0]?.count === 2);
  const back = ada.chat.unreact(id, seq, "+1");
  expect(mine()?.message.reactions).toEqual([{ name: "+1", count: 1, users: ["bob"] }]);
  await back;
  await until(() => bobs()?.message.reactions?.[0]?.count === 1 && mine()?.status === "sent");
  expect(mine()?.message).toEqual(bobs()?.message);

  const refused = bob.chat.edit(id, seq, { text: "mine now" });
  expect(bobs()).toMatchObject({ message: { parts: [{ text: "mine now" }] } });
  await expect(refused).rejects.toMatchObject({ name: "permission_denied" });
  await until(() => bobs()?.status === "sent");
  expect(bobs()?.message).toEqual(mine()?.message);
  expect(bob.chat.outbox.entries.get()).toEqual([]);

  await bob.chat.delete(id, seq, { for: "me" });
  await until(() => bobs() === undefined);
  expect(mine()?.message.deleted).toBeUndefined();
  const deleted = ada.chat.delete(id, seq);
  expect(mine()?.message.parts).toBeUndefined();
  await deleted;
  await until(() => mine()?.status === "sent");
  expect(mine()?.message).toMatchObject({ seq, deleted: expect.any(Number), version: 2 });
});

test("who looks has read: the others and one's other devices learn of it", async () => {
  const id = await world.group(["amy", "ben"]);
  const seqs: number[] = [];
  for (const text of ["one", "two", "three"]) seqs.push(await world.say("amy", id, text));
  const ada = await world.enter("amy");
  const bob = await world.enter("ben");
  const phone = await world.enter("ben");
  const list = follow(bob.chat.messages(id));
  const sent = follow(ada.chat.messages(id));
  await until(() => list.get().atEnd && sent.get().atEnd);
  expect(bob.chat.unread.get()).toEqual({ messages: 3, mentions: 0, conversations: 1 });
  expect(list.get().firstUnread).toBe(seqs[0]);

  list.visible(seqs[1] as number);
  await until(() => phone.chat.unread.get().messages === 1);
  expect(bob.chat.unread.get().messages).toBe(1);
  await until(() => sent.get().items.find((each) => each.message.seq === seqs[1])?.receipts.read === 1);
  expect(sent.get().items.find((each) => each.message.seq === seqs[2])?.receipts).toMatchObject({ read: 0 });
  expect(ada.chat.receipts(id).get()).toContainEqual({
    user: "ben",
    read: seqs[1],
    delivered: expect.any(Number),
  });
  // The line in the list stays where it was when it was opened.
  expect(list.get().firstUnread).toBe(seqs[0]);
  // To have written is to have read.
  bob.chat.send(id, { text: "four" });
  await until(() => phone.chat.unread.get().messages === 0);
});

test("what has come to a device is delivered, without being read", async () => {
  const id = await world.group(["ada", "bob"]);
  const ada = await world.enter("ada");
  await world.enter("bob", { delivered: true });
  const seq = await world.say("ada", id, "here?");
  const list = follow(ada.chat.messages(id));
  const receipts = () => list.get().items.find((each) => each.message.seq === seq)?.receipts;
  await until(() => receipts()?.delivered === 1);
  expect(receipts()).toEqual({ read: 0, delivered: 1 });
});

test("threads have lists of their own, counted apart", async () => {
  const id = await world.group(["ada", "bob"]);
  const root = await world.say("ada", id, "root");
  const ada = await world.enter("ada");
  const bob = await world.enter("bob");
  const main = follow(ada.chat.messages(id));
  const thread = follow(ada.chat.messages(id, { thread: root }));
  ada.chat.threads.subscribe(() => undefined);
  await until(() => main.get().atEnd && thread.get().atEnd && thread.get().root);
  await bob.chat.send(id, { text: "reply", thread: root }).sent;
  await until(() => texts(thread.get()).includes("reply"));
  expect(texts(main.get())).not.toContain("reply");
  expect(thread.get().root?.message).toMatchObject({ seq: root, replies: 1 });
  await until(() => ada.chat.threads.get()[0]?.unread === 1);
  expect(ada.chat.conversation(id).get()?.unread).toBe(0);
  thread.visible(thread.get().items.at(-1)?.message.seq ?? 0);
  await until(() => ada.chat.threads.get()[0]?.unread === 0);
  const { key } = ada.chat.send(id, { text: "thanks", thread: root });
  expect(thread.get().items.at(-1)).toMatchObject({ key });
  expect(main.get().items.at(-1)?.key).not.toBe(key);
});

test("typing is shown until it ends by itself or by a message", async () => {
  const id = await world.group(["ada", "bob"]);
  const ada = await world.enter("ada");
  const bob = await world.enter("bob");
  const typing = ada.chat.typing(id);
  for (let key = 0; key < 30; key++) bob.chat.startTyping(id);
  await until(() => typing.get().includes("bob"));
  expect(ada.chat.conversation(id).get()?.typing).toEqual(["bob"]);
  expect(bob.chat.typing(id).get()).toEqual([]);
  await until(() => typing.get().length === 0);
  bob.chat.startTyping(id);
  await until(() => typing.get().includes("bob"));
  await bob.chat.send(id, { text: "there" }).sent;
  await until(() => typing.get().length === 0);
});

test("presence is followed while somebody looks", async () => {
  await world.group(["ada", "bob", "eve"]);
  const ada = await world.enter("ada");
  const views = ["bob", "eve"].map((each) => ada.chat.presence(each));
  const leave = views.map((each) => each.subscribe(() => undefined));
  await until(() => views.every((each) => each.get()?.availability === "offline"));
  const bob = await world.enter("bob");
  await until(() => views[0]?.get()?.availability === "online");
  await bob.chat.call("presence.set", { away: true });
  await until(() => views[0]?.get()?.availability === "away");
  ada.hubbub.reconnect();
  await bob.close();
  await until(() => views[0]?.get()?.availability === "offline");
  for (const each of leave) each();
});

test("profiles are fetched together, once", async () => {
  await world.users("ada", "bob", "eve");
  const ada = await world.enter("ada");
  const calls: string[] = [];
  const before = ada.hubbub.call.bind(ada.hubbub);
  ada.hubbub.call = (method, ...rest) => {
    calls.push(method);
    return before(method, ...(rest as []));
  };
  const [bob, eve] = [ada.chat.user("bob"), ada.chat.user("eve")];
  for (const each of [bob, eve, bob]) each.subscribe(() => undefined);
  expect(bob.get()).toBeUndefined();
  await until(() => bob.get() && eve.get());
  expect(bob.get()).toMatchObject({ id: "bob", name: "bob" });
  expect(calls).toEqual(["chat.users.query"]);
  expect((await ada.chat.users.search("ev")).map((each) => each.id)).toContain("eve");
  const id = await ada.chat.direct("bob");
  await until(() => ada.chat.conversation(id).get());
  expect(ada.chat.conversation(id).get()?.peer).toMatchObject({ id: "bob", name: "bob" });
});

test("drafts are on all devices, and nothing is lost when two write", async () => {
  const id = await world.group(["ada"]);
  const desk = await world.enter("ada");
  const phone = await world.enter("ada");
  desk.chat.setDraft(id, { text: "Dear" });
  expect(desk.chat.draft(id).get()).toMatchObject({ parts: [{ text: "Dear" }] });
  expect(desk.chat.conversation(id).get()?.draft).toMatchObject({ parts: [{ text: "Dear" }] });
  await desk.chat.flush();
  await until(() => phone.chat.draft(id).get() !== undefined);
  // Both write on, the one not knowing of the other.
  desk.chat.setDraft(id, { text: "Dear Bob" });
  phone.chat.setDraft(id, { text: "Dear Eve" });
  await desk.chat.flush();
  await phone.chat.flush();
  await until(() => phone.chat.draft(id).get()?.conflict);
  expect(phone.chat.draft(id).get()).toMatchObject({
    parts: [{ text: "Dear Eve" }],
    conflict: { parts: [{ text: "Dear Bob" }] },
  });
  phone.chat.setDraft(id, { text: "Dear Eve and Bob" });
  await phone.chat.flush();
  await until(() => JSON.stringify(desk.chat.draft(id).get()).includes("Dear Eve and Bob"));
  expect(phone.chat.draft(id).get()?.conflict).toBeUndefined();
  // To send is to have no draft any more.
  await phone.chat.send(id, { text: "Dear all" }).sent;
  expect(phone.chat.draft(id).get()).toBeUndefined();
  await until(() => desk.chat.draft(id).get() === undefined);
});

test("pins, bookmarks, schedules, reminders and blocks are kept true", async () => {
  const id = await world.group(["ada", "bob"]);
  const seq = await world.say("ada", id, "keep");
  const ada = await world.enter("ada");
  const phone = await world.enter("ada");
  const at = Math.ceil(ada.hubbub.time()) + 3600;
  const pins = phone.chat.pins(id);
  pins.subscribe(() => undefined);
  await ada.chat.pin(id, seq);
  await ada.chat.bookmark(id, seq, "why");
  await ada.chat.call("scheduled.create", { conversation: id, at, parts: [{ type: "text", text: "later" }] });
  await ada.chat.call("reminders.create", { at, note: "tea" });
  await ada.chat.call("blocks.add", { user: "bob" });
  await until(() => phone.chat.blocks.get().length === 1 && pins.get().length === 1);
  expect(pins.get()[0]).toMatchObject({ seq, annotations: { pin: { by: "ada" } } });
  expect(phone.chat.bookmarks.get()).toMatchObject([{ message: seq, note: "why" }]);
  expect(phone.chat.scheduled.get()).toMatchObject([{ at }]);
  expect(phone.chat.reminders.get()).toMatchObject([{ note: "tea" }]);
  const [scheduled, reminder] = [phone.chat.scheduled.get()[0], phone.chat.reminders.get()[0]];
  await ada.chat.unpin(id, seq);
  await ada.chat.unbookmark(id, seq);
  await ada.chat.call("scheduled.cancel", { scheduled: scheduled?.id as number });
  await ada.chat.call("reminders.remove", { reminder: reminder?.id as number });
  await ada.chat.call("blocks.remove", { user: "bob" });
  await until(() => phone.chat.blocks.get().length === 0 && pins.get().length === 0);
  expect(
    [phone.chat.bookmarks, phone.chat.scheduled, phone.chat.reminders].map((each) => each.get()),
  ).toEqual([[], [], []]);
});

test("events are told once each, live or as what was missed", async () => {
  const id = await world.group(["ada", "bob"]);
  const proxy = await FaultProxy.start(world.server);
  const ada = await world.enter("ada", { url: proxy.url });
  const list = follow(ada.chat.messages(id));
  await until(() => list.get().atEnd);
  const heard: [ChatEvent, boolean][] = [];
  ada.chat.on("event", (event, live) => heard.push([event, live]));
  await world.say("bob", id, "one");
  await until(() => heard.length > 0);
  proxy.refuse = () => true;
  proxy.cut();
  await world.say("bob", id, "two");
  proxy.refuse = undefined;
  ada.hubbub.reconnect();
  await until(() => texts(list.get()).includes("two"));
  const created = heard.filter(([event]) => event.type === "message.created");
  expect(created.map(([event]) => (event as { message: { parts: unknown } }).message.parts)).toEqual([
    [{ type: "text", text: "one" }],
    [{ type: "text", text: "two" }],
  ]);
  expect(created[0]?.[1]).toBe(true);
  await proxy.stop();
});

test("emoji, groups and commands are there when somebody looks, and stay true", async () => {
  const id = await world.group(["ada"]);
  await world.call("groups.upsert", { group: "team", name: "Team" });
  const ada = await world.enter("ada");
  const { catalogue } = ada.chat;
  catalogue.subscribe(() => undefined);
  await until(() => catalogue.get().groups.has("team"));
  await world.call("groups.upsert", { group: "others", name: "Others" });
  await until(() => catalogue.get().groups.has("others"));
  await world.users("bot");
  await world.call("commands.register", {
    name: "roll",
    owner: "bot",
    description: "Dice",
    everywhere: true,
  });
  const commands = ada.chat.commands(id);
  commands.subscribe(() => undefined);
  await until(() => commands.get().some((each) => each.name === "roll"));
});
