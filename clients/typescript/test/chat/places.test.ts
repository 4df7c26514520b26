/** Where one may be in a conversation, and what becomes of it while one is away. */

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { FaultProxy } from "../proxy.js";
import { follow, texts, until, World } from "./world.js";

let world: World;
beforeAll(async () => {
  world = await World.start({
    settings: { "chat.sync_events": 8, "chat.sync_conversations": 2, "sessions.resume_window": 0.2 },
  });
});
afterAll(() => world.stop());
afterEach(() => world.leave());

async function many(count: number, ...members: string[]): Promise<string> {
  const id = await world.group(members);
  for (let at = 1; at <= count; at++) await world.say(members[0] as string, id, `m${at}`);
  return id;
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => `m${from + at}`);

test("a list pages both ways, jumps, and joins what it has read when the pages meet", async () => {
  const id = await many(180, "ada", "bob");
  const bob = await world.enter("bob");
  const list = follow(bob.chat.messages(id));
  await until(() => list.get().atEnd);
  expect(texts(list.get())).toEqual(range(131, 180));
  const seq = list.get().items[0]?.message.seq as number;
  const first = seq - 130;

  await list.jumpTo(first + 20);
  expect(list.get()).toMatchObject({ atStart: true, atEnd: false });
  expect(texts(list.get()).at(-1)).toBe("m50");
  // What is new is not shown far from the end.
  await world.say("ada", id, "m181");
  await until(() => bob.chat.conversation(id).get()?.unread === 181);
  expect(texts(list.get())).not.toContain("m181");
  await list.loadAfter();
  expect(texts(list.get())).toEqual(range(1, 100));
  expect(list.get().atEnd).toBe(false);
  await list.loadAfter();
  // They have met.
  expect(texts(list.get())).toEqual(range(1, 181));
  expect(list.get()).toMatchObject({ atStart: true, atEnd: true, loading: undefined });
  await list.loadAfter();
  await list.loadBefore();
  expect(texts(list.get())).toEqual(range(1, 181));
  await list.toEnd();
  expect(texts(list.get())).toEqual(range(1, 181));

  // Another list of the same conversation looks elsewhere.
  list.stop();
  const other = follow(bob.chat.messages(id));
  await until(() => other.get().items.length > 0);
  expect(texts(other.get())).toEqual(range(132, 181));
});

test("a page that was read while something happened is as true as the rest", async () => {
  const id = await many(60, "ada", "bob");
  const bob = await world.enter("bob");
  const list = follow(bob.chat.messages(id));
  await until(() => list.get().atEnd);
  const target = (list.get().items[0]?.message.seq as number) - 3;
  const call = bob.hubbub.call.bind(bob.hubbub);
  // The answer is held back until an event about what is in it has come and gone.
  bob.hubbub.call = async (method, ...rest) => {
    const answer = await call(method, ...(rest as []));
    if (method === "chat.messages.list") {
      await world.call("reactions.add", { conversation: id, message: target, name: "+1" }, "ada");
      const edit = { conversation: id, message: target - 1, parts: [{ type: "text", text: "changed" }] };
      await world.call("messages.edit", edit, "ada");
      await world.say("ada", id, "last");
      await until(() => texts(list.get()).includes("last"));
    }
    return answer as never;
  };
  await list.loadBefore();
  const { messages } = await world.call("messages.list", { conversation: id, limit: 100 }, "bob");
  expect(list.get().items.map((each) => each.message)).toEqual(messages);
});

test("after a while away events make up for it; after too many the list is read anew where it was", async () => {
  const id = await many(5, "ada", "bob");
  const proxy = await FaultProxy.start(world.server);
  const bob = await world.enter("bob", { url: proxy.url });
  const list = follow(bob.chat.messages(id));
  await until(() => list.get().atEnd);
  const before = list.get().items[0];
  const away = async (act: () => Promise<void>) => {
    proxy.refuse = () => true;
    proxy.cut();
    await act();
    await new Promise((done) => setTimeout(done, 400)); // the session is gone by then
    proxy.refuse = undefined;
    bob.hubbub.reconnect();
  };
  await away(async () => {
    for (let at = 6; at <= 8; at++) await world.say("ada", id, `m${at}`);
  });
  await until(() => texts(list.get()).includes("m8"));
  expect(texts(list.get())).toEqual(range(1, 8));
  expect(list.get().items[0]).toBe(before); // the same object: it was told what was missed, and nothing else

  await away(async () => {
    for (let at = 9; at <= 70; at++) await world.say("ada", id, `m${at}`);
  });
  await until(() => texts(list.get()).includes("m70"));
  expect(texts(list.get())).toEqual(range(21, 70));
  expect(bob.chat.conversation(id).get()?.unread).toBe(70);
  await list.loadBefore();
  expect(texts(list.get())).toEqual(range(1, 70));
  await proxy.stop();
});

test("a sync that breaks off between its pages goes on, and misses nothing of what happened meanwhile", async () => {
  await world.users("zoe", "yan");
  const ids: string[] = [];
  for (let at = 0; at < 7; at++) ids.push(await many(2, "yan", "zoe"));
  const proxy = await FaultProxy.start(world.server);
  let pages = 0;
  let happened: Promise<unknown> | undefined;
  proxy.cutAfter = (text) => {
    if (!text.includes('"more":true')) return false;
    pages += 1;
    if (pages !== 2) return false;
    happened = Promise.all([
      ...ids.map((id) => world.say("yan", id, "meanwhile")),
      world.call("bookmarks.add", { conversation: ids[0] as string, message: 2 }, "zoe"),
    ]);
    return true;
  };
  const zoe = await world.enter("zoe", { url: proxy.url });
  await happened;
  expect(pages).toBeGreaterThan(2);
  await until(() => zoe.chat.conversations.get().every((each) => each.unread === 3));
  expect(
    zoe.chat.conversations
      .get()
      .map((each) => each.id)
      .sort(),
  ).toEqual([...ids].sort());
  await until(() => zoe.chat.bookmarks.get().length === 1);
  await proxy.stop();
});

test("who joins later, where history begins with joining, sees nothing from before: live, by pages and by sync", async () => {
  const id = await world.group(["ada", "bob"], { history: "joined" });
  const old = await world.say("ada", id, "before");
  const eve = await world.enter("eve");
  await world.call("members.add", { conversation: id, users: ["eve"] }, "ada");
  await until(() => eve.chat.conversation(id).get()?.membership.state === "joined");
  const list = follow(eve.chat.messages(id));
  await until(() => list.get().atEnd && list.get().atStart);
  expect(texts(list.get())).not.toContain("before");
  const seq = await world.say("ada", id, "after");
  await world.call("reactions.add", { conversation: id, message: old, name: "+1" }, "bob");
  const text = (words: string) => [{ type: "text", text: words }];
  await world.call("messages.edit", { conversation: id, message: old, parts: text("secret") }, "ada");
  await world.call("messages.edit", { conversation: id, message: seq, parts: text("afterwards") }, "ada");
  await until(() => texts(list.get()).includes("afterwards"));
  expect(JSON.stringify(list.get())).not.toContain("secret");
  // What an edit withholds from the event is asked for by who may read it.
  const bob = await world.enter("bob");
  const theirs = follow(bob.chat.messages(id));
  await until(() => theirs.get().atEnd);
  await world.call("messages.edit", { conversation: id, message: old, parts: text("more") }, "ada");
  await until(() => texts(theirs.get()).includes("more"));
});

test("what only its sender is to see is there on all of the sender's devices, and nowhere else", async () => {
  const id = await world.group(["ada", "bob"]);
  await world.call("restrictions.set", { user: "bob", kind: "shadow", conversation: id, reason: "Spam" });
  const [ada, bob, phone] = await Promise.all([world.enter("ada"), world.enter("bob"), world.enter("bob")]);
  const lists = [ada, bob, phone].map((each) => follow(each.chat.messages(id)));
  await until(() => lists.every((each) => each.get().atEnd));
  const { key } = bob.chat.send(id, { text: "buy" });
  await until(() => texts((lists[2] as (typeof lists)[0]).get()).includes("buy"));
  expect(lists[1]?.get().items.at(-1)).toMatchObject({ key, status: "sent" });
  await world.say("ada", id, "hello");
  await until(() => lists.every((each) => texts(each.get()).includes("hello")));
  expect(lists.map((each) => texts(each.get()).includes("buy"))).toEqual([false, true, true]);
});

test("what was deleted, what is over and who was erased is gone from what is shown", async () => {
  const id = await world.group(["ada", "bob", "mel"]);
  const ada = await world.enter("ada");
  const list = follow(ada.chat.messages(id));
  const vanishing = await world.say("bob", id, "for a moment", { expires_in: 1 });
  const said = await world.say("mel", id, "by mel");
  await until(() => texts(list.get()).includes("by mel"));
  await until(() => list.get().items.find((each) => each.message.seq === vanishing)?.message.deleted);
  expect(JSON.stringify(list.get())).not.toContain("for a moment");

  await world.call("rights.erase", { user: "mel", messages: "keep" });
  await until(() =>
    list
      .get()
      .items.find((each) => each.message.seq === said)
      ?.message.sender?.startsWith("erased"),
  );
  expect(JSON.stringify(list.get())).not.toContain('"sender":"mel"');
  expect(texts(list.get())).toContain("by mel");

  await world.call("retention.update", { conversation: id, retention: 1 });
  await world.say("ada", id, "soon over");
  await until(() => !texts(list.get()).includes("by mel"), "expunged", 40_000);
  const rest = async () =>
    (await world.call("messages.list", { conversation: id, limit: 100 }, "ada")).messages;
  await until(
    async () => JSON.stringify(list.get().items.map((each) => each.message)) === JSON.stringify(await rest()),
  );
});

test("invitations, joining, being removed and coming back", async () => {
  const ada = await world.enter("ada");
  const id = await world.group(["bob", "eve"], { name: "Club" });
  await world.say("bob", id, "welcome");
  await world.call("members.add", { conversation: id, users: ["ada"], invite: true }, "bob");
  await until(() => ada.chat.conversation(id).get()?.membership.state === "invited");
  expect(ada.chat.conversation(id).get()?.lastMessage).toBeUndefined();
  await ada.chat.call("members.join", { conversation: id });
  await until(() => ada.chat.conversation(id).get()?.membership.state === "joined");
  const list = follow(ada.chat.messages(id));
  await until(() => texts(list.get()).includes("welcome"));
  ada.chat.setDraft(id, { text: "I" });
  await ada.chat.flush();
  await world.call("members.remove", { conversation: id, user: "ada" }, "bob");
  await until(() => ada.chat.conversation(id).get() === undefined);
  expect(ada.chat.draft(id).get()).toBeUndefined();
  await world.say("bob", id, "without her");
  await world.call("members.add", { conversation: id, users: ["ada"] }, "bob");
  await until(() => texts(list.get()).includes("without her"));
  await world.say("bob", id, "again");
  await until(() => texts(list.get()).includes("again"));
});

test("who is blocked is neither seen nor written to", async () => {
  await world.users("ann", "max");
  const [ann, max] = await Promise.all([world.enter("ann"), world.enter("max")]);
  const id = await ann.chat.direct("max");
  const presence = ann.chat.presence("max");
  presence.subscribe(() => undefined);
  await until(() => presence.get()?.availability === "online");
  await until(() => max.chat.conversation(id).get());
  await ann.chat.call("blocks.add", { user: "max" });
  await until(() => ann.chat.blocks.get().length === 1);
  await expect(max.chat.send(id, { text: "Hey" }).sent).rejects.toMatchObject({ name: "permission_denied" });
  max.chat.startTyping(id);
  await max.close();
  expect(ann.chat.typing(id).get()).toEqual([]);
});

test("a topic can be looked at without joining it, live", async () => {
  await world.users("ada", "vic");
  const { conversation } = await world.call("conversations.create", { kind: "topic", name: "News" }, "ada");
  const { id } = conversation;
  await world.say("ada", id, "one");
  const vic = await world.enter("vic");
  const list = follow(vic.chat.messages(id));
  await until(() => texts(list.get()).includes("one"));
  expect(vic.chat.conversations.get().some((each) => each.id === id)).toBe(false);
  await world.say("ada", id, "two");
  await until(() => texts(list.get()).includes("two"));
  await vic.chat.call("members.join", { conversation: id });
  await until(() => vic.chat.conversations.get().some((each) => each.id === id));
  await world.say("ada", id, "three");
  await until(() => texts(list.get()).includes("three"));
  list.stop();
  expect(vic.chat.conversation(id).get()).toBeDefined();
});

test("what nobody holds is let go of", async () => {
  const id = await many(130, "ada", "tim");
  const tim = await world.enter("tim");
  const list = follow(tim.chat.messages(id));
  await until(() => list.get().atEnd);
  await list.loadBefore();
  await list.loadBefore();
  expect(list.get()).toMatchObject({ atStart: true });
  list.stop();
  expect(list.get().items.length).toBe(50);
  // A list can be used again, and what was kept is true.
  await world.say("ada", id, "m131");
  await until(() => tim.chat.conversation(id).get()?.unread === 131);
  const again = follow(tim.chat.messages(id));
  expect(texts(again.get())).toEqual(range(81, 131).slice(-51));
});
