/** What users do, at random. */

import type { Operation, Params } from "../../src/chat.js";
import type { FaultProxy } from "../proxy.js";
import type { Lists } from "./plain.js";
import type { Device, World } from "./world.js";

export interface Chance {
  /** Below 1. */
  (): number;
  of<T>(all: readonly T[]): T;
  below(count: number): number;
}

/** Mulberry32: the same seed gives the same numbers. */
export function chance(seed: number): Chance {
  let state = seed * 0x9e3779b9;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (count: number) => Math.floor(next() * count);
  return Object.assign(next, { below, of: <T>(all: readonly T[]) => all[below(all.length)] as T });
}

interface Place {
  readonly conversation: string;
  readonly seqs: readonly number[];
  readonly threads: readonly number[];
}

/** One thing; what it was. Refusals are passed over: that they change nothing is seen afterwards. */
export async function act(
  world: World,
  users: readonly string[],
  devices: readonly { device: Device; lists: Lists }[],
  proxy: FaultProxy,
  random: Chance,
): Promise<string> {
  const user = random.of(users);
  const other = random.of(users.filter((each) => each !== user));
  const here = await place(world, user, random);
  const device = random.of(devices.filter((each) => each.device.user === user));
  if (random() < 0.04) {
    proxy.cut();
    return "cut";
  }
  if (random() < 0.1) {
    device.lists.look();
    return `${user} looks`;
  }
  const [operation, params] =
    here && random() < 0.85 ? within(here, user, other, random) : beside(other, random);
  const name = `${user} ${operation} ${JSON.stringify(params)}`;
  try {
    // By the device, optimistic or not; or by another program.
    if (random() < 0.5) await byChat(device.device, operation, params);
    else await world.call(operation, params as never, user);
    return name;
  } catch (error) {
    return `${name} (${(error as Error).message.slice(0, 60)})`;
  }
}

async function place(world: World, user: string, random: Chance): Promise<Place | undefined> {
  const { conversations } = await world.call("conversations.list", {}, user);
  if (conversations.length === 0) return undefined;
  const { id } = random.of(conversations).conversation;
  const { messages } = await world.call("messages.list", { conversation: id, limit: 30 }, user);
  const threads = messages.filter((each) => each.replies).map((each) => each.seq);
  const roots = messages.filter((each) => each.kind !== "system").map((each) => each.seq);
  const inside =
    threads.length > 0
      ? (await world.call("messages.list", { conversation: id, thread: random.of(threads) }, user)).messages
      : [];
  return { conversation: id, seqs: [...roots, ...inside.map((each) => each.seq)], threads };
}

type Act = readonly [Operation, object];

function within({ conversation, seqs, threads }: Place, user: string, other: string, random: Chance): Act {
  const message = seqs.length > 0 ? random.of(seqs) : 1;
  const thread = threads.length > 0 && random() < 0.7 ? random.of(threads) : message;
  const parts = [{ type: "text", text: `${random.of(["yes", "no", "perhaps"])} ${random.below(1000)}` }];
  const at = { conversation, message };
  const later = Math.floor(Date.now() / 1000) + 3600 + random.below(3600);
  const mentions = random.of([
    undefined,
    undefined,
    { users: [other] },
    { everyone: "all" },
    { everyone: "here" },
  ]);
  const poll = { type: "poll", question: "When?", options: [{ text: "now" }, { text: "never" }] };
  const ticks = { type: "checklist", items: [{ text: "one" }, { text: "two" }], anyone: true };
  return random.of<() => Act>([
    () => ["messages.send", { conversation, parts, mentions }],
    () => ["messages.send", { conversation, parts, mentions }],
    () => ["messages.send", { conversation, parts }],
    () => ["messages.send", { conversation, parts, reply_to: message }],
    () => ["messages.send", { conversation, parts, thread, mentions }],
    () => ["messages.send", { conversation, parts, thread }],
    () => ["messages.send", { conversation, parts: [random.of([poll, ticks])] }],
    () => ["messages.edit", { ...at, parts, mentions }],
    () => ["messages.edit", { ...at, parts }],
    () => ["messages.delete", { ...at, for: "all" }],
    () => ["messages.delete", { ...at, for: "me" }],
    () => ["reactions.add", { ...at, name: random.of(["+1", "heart"]) }],
    () => ["reactions.add", { ...at, name: random.of(["+1", "heart"]) }],
    () => ["reactions.remove", { ...at, name: random.of(["+1", "heart"]) }],
    () => ["pins.add", at],
    () => ["pins.remove", at],
    () => ["bookmarks.add", { ...at, note: random.of(["", "see"]) }],
    () => ["bookmarks.remove", at],
    () => ["drafts.set", { conversation, parts, thread: random.of([undefined, thread]) }],
    () => ["drafts.remove", { conversation }],
    () => ["polls.vote", { ...at, options: [random.of(["1", "2"])] }],
    () => ["checklists.check", { ...at, item: random.of(["1", "2"]) }],
    () => ["receipts.mark", { marks: [{ conversation, read: message }] }],
    () => ["receipts.mark", { marks: [{ conversation, read: Math.max(1, ...seqs) }] }],
    () => ["receipts.mark", { marks: [{ conversation, delivered: message }] }],
    () => ["threads.follow", { conversation, thread }],
    () => ["threads.unfollow", { conversation, thread }],
    () => ["threads.read", { conversation, thread, seq: Math.max(1, ...seqs) }],
    () => ["conversations.update", { conversation, name: `Name ${random.below(100)}` }],
    () => ["conversations.update", { conversation, history: random.of(["all", "joined"]) }],
    () => ["conversations.settings", { conversation, archived: random() < 0.5 }],
    () => ["conversations.settings", { conversation, muted_until: random.of([null, later]) }],
    () => ["members.add", { conversation, users: [other], invite: random() < 0.4 }],
    () => ["members.leave", { conversation }],
    () => ["members.remove", { conversation, user: other }],
    () => ["members.update", { conversation, user: other, role: random.of(["admin", "member", "reader"]) }],
    () => ["scheduled.create", { conversation, parts, at: later }],
    () => ["reminders.create", { conversation, message, at: later }],
    () => ["messages.forward", { ...at, to: [conversation] }],
    () => ["me.update", { name: `${user} ${random.below(100)}` }],
  ])();
}

function beside(other: string, random: Chance): Act {
  const members = [{ user: other }];
  const history = random.of(["all", "joined"]);
  return random.of<() => Act>([
    () => ["conversations.create", { kind: "group", name: "Group", members, history }],
    () => ["conversations.create", { kind: "group", name: "Asked", members, history, invite: true }],
    () => ["conversations.direct", { user: other }],
    () => ["blocks.add", { user: other }],
    () => ["blocks.remove", { user: other }],
    () => ["join", {}] as never,
  ])();
}

/** As a page would do it. */
async function byChat({ chat }: Device, operation: Operation, given: object): Promise<void> {
  const params = given as Record<string, never>;
  const { conversation, message } = params;
  if ((operation as string) === "join") {
    const asked = chat.conversations.get().find((each) => each.membership.state === "invited");
    if (asked) await chat.call("members.join", { conversation: asked.id });
    return;
  }
  switch (operation) {
    case "messages.send": {
      const { key, sent } = chat.send(
        conversation as never,
        { ...params, replyTo: params.reply_to } as never,
      );
      try {
        await sent;
      } catch {
        // What is refused waits for its author, who does not want it any more.
        const entry = chat.outbox.entries.get().find((each) => each.key === key);
        if (entry) chat.discard(entry.id);
      }
      return;
    }
    case "messages.edit":
      return chat.edit(conversation as never, message as never, params);
    case "messages.delete":
      return chat.delete(conversation as never, message as never, { for: params.for as never });
    case "reactions.add":
      return chat.react(conversation as never, message as never, params.name as never);
    case "reactions.remove":
      return chat.unreact(conversation as never, message as never, params.name as never);
    case "receipts.mark": {
      const [mark] = params.marks as unknown as Params<"receipts.mark">["marks"];
      if (mark?.read === undefined) return;
      chat.messages(mark.conversation).visible(mark.read);
      return chat.flush();
    }
    case "drafts.set":
      chat.setDraft(conversation as never, { parts: params.parts }, params.thread);
      return chat.flush();
    default:
      await chat.call(operation, params as never);
  }
}
