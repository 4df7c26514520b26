/** The pure parts, by tables. */

import { describe, expect, test } from "vitest";
import { Book } from "../../src/chat/book.js";
import { applyInbox, unreadAfter } from "../../src/chat/inbox.js";
import { Items, type Pending } from "../../src/chat/items.js";
import { applyLog } from "../../src/chat/log.js";
import { applyPage, applySent, applyTrim } from "../../src/chat/pages.js";
import { begun, type ChatState, type ConversationState, EMPTY, MAIN } from "../../src/chat/state.js";
import { applySync } from "../../src/chat/sync.js";
import { cut, insert, join, remove, type Segment, segmentAt, tail } from "../../src/chat/timeline.js";
import type { LogEvent, Message, SyncPage } from "../../src/chat.js";
import { allowed } from "../../src/chat.js";

const END = Number.POSITIVE_INFINITY;
const segment = (from: number, to: number, ...seqs: number[]): Segment => ({ from, to, seqs });

function message(seq: number, more: Partial<Message> = {}): Message {
  const parts = [{ type: "text" as const, text: `m${seq}` }];
  return { conversation: "c", seq, sender: "bob", created: seq, number: seq, parts, ...more };
}

const created = (seq: number, more: Partial<Message> = {}): LogEvent => ({
  type: "message.created",
  conversation: "c",
  seq,
  time: seq,
  message: message(seq, more),
});

function known(seq: number, more: Partial<ConversationState> = {}): ChatState {
  const mine = {
    conversation: { id: "c", kind: "group", seq } as const,
    membership: { state: "joined" } as const,
  };
  return { ...EMPTY, user: "ada", conversations: new Map([["c", { ...begun(mine, seq), ...more }]]) };
}

const of = (state: ChatState) => state.conversations.get("c") as ConversationState;
const shown = (state: ChatState) => segmentAt(of(state).timelines.get(MAIN), END)?.seqs;

describe("timelines", () => {
  test.each<[string, Segment[], Segment, Segment[]]>([
    ["the first page", [], segment(5, END, 5, 7), [segment(5, END, 5, 7)]],
    ["pages that touch", [segment(5, END, 5, 7)], segment(2, 4, 2, 4), [segment(2, END, 2, 4, 5, 7)]],
    ["pages that overlap", [segment(3, 9, 3, 9)], segment(0, 4, 1, 3), [segment(0, 9, 1, 3, 9)]],
    ["pages apart", [segment(9, END, 9)], segment(2, 4, 2, 4), [segment(2, 4, 2, 4), segment(9, END, 9)]],
    ["one between two", [segment(0, 3, 1), segment(8, END, 9)], segment(4, 7, 5), [segment(0, END, 1, 5, 9)]],
    ["an empty page at the beginning", [segment(5, 9, 5)], segment(0, 4), [segment(0, 9, 5)]],
  ])("%s", (_, before, page, after) => expect(join(before, page)).toEqual(after));

  test("messages go where they are covered", () => {
    const two = [segment(2, 4, 2, 4), segment(9, END, 9)];
    expect(insert(two, 3)).toEqual([segment(2, 4, 2, 3, 4), segment(9, END, 9)]);
    expect(insert(two, 12)).toEqual([segment(2, 4, 2, 4), segment(9, END, 9, 12)]);
    expect(insert(two, 7)).toBe(two);
    expect(insert(two, 4)).toBe(two);
    expect(remove(two, 4)).toEqual([segment(2, 4, 2), segment(9, END, 9)]);
    expect(remove(two, 3)).toBe(two);
  });

  test("what is over is cut off, and there is nothing before the rest", () => {
    const two = [segment(2, 4, 2, 4), segment(7, END, 7, 9)];
    expect(cut(two, 3)).toEqual([segment(0, 4, 4), segment(7, END, 7, 9)]);
    expect(cut(two, 7)).toEqual([segment(0, END, 9)]);
    expect(tail(segment(0, END, 1, 2, 3), 2)).toEqual(segment(2, END, 2, 3));
  });
});

test("a book shares what does not change", () => {
  const all = Array.from({ length: 300 }, (_, at) => message(at));
  const book = Book.empty.with(...all);
  expect(book.size).toBe(300);
  expect(book.with(all[7] as Message)).toBe(book);
  const changed = book.with(message(7, { version: 2 }));
  expect(changed.get(7)?.version).toBe(2);
  expect(book.get(7)?.version).toBeUndefined();
  expect([...changed.only(new Set([7, 8]))].map((each) => each.seq)).toEqual([7, 8]);
});

describe("events", () => {
  const windows = { timelines: new Map([[MAIN, [segment(0, END)]]]) };
  const some = () => [2, 3, 4].reduce((state, seq) => applyLog(state, created(seq)), known(1, windows));

  test("known ones change nothing", () => {
    const state = some();
    expect(applyLog(state, created(4))).toBe(state);
    expect(applyLog(state, { ...created(5), conversation: "other" })).toBe(state);
    expect(shown(state)).toEqual([2, 3, 4]);
  });

  test.each<[string, LogEvent[], { unread?: number; mentions?: number; unsure?: boolean }]>([
    ["each counts", [], { unread: 3 }],
    ["a mention", [created(5, { mentions: { users: ["ada"] } })], { unread: 4, mentions: 1 }],
    ["of all", [created(5, { mentions: { everyone: "all" } })], { unread: 4, mentions: 1 }],
    ["of who is here", [created(5, { mentions: { everyone: "here" } })], { unread: 4, unsure: true }],
    ["to have written is to have read", [created(5, { sender: "ada" })], {}],
    [
      "a deleted one counts no more",
      [{ ...created(5), type: "message.deleted", message: message(3, { deleted: 5 }) } as LogEvent],
      { unread: 2 },
    ],
    ["a system message does not count", [{ ...created(5), message: system(5) } as LogEvent], { unread: 3 }],
    ["nor does a reply", [{ ...created(5), message: reply(5, 2) } as LogEvent], { unread: 3 }],
  ])("unread: %s", (_, events, { unread, mentions, unsure = false }) => {
    const state = events.reduce(applyLog, some());
    const { membership, unsure: asked } = of(state);
    expect([membership.unread, membership.mentions, asked]).toEqual([unread, mentions, unsure]);
    if (!unsure) {
      expect(unreadAfter(of(state), membership.read ?? 0, "ada")).toEqual({
        unread: unread ?? 0,
        mentions: mentions ?? 0,
      });
    }
  });

  test("an event that withholds what is said leaves it, and has it asked for", () => {
    const { parts: _, ...bare } = message(3, { version: 2, edited: 5 });
    const state = applyLog(some(), {
      type: "message.updated",
      conversation: "c",
      seq: 5,
      time: 5,
      message: bare,
      withheld: true,
    });
    expect(of(state).book.get(3)).toMatchObject({ version: 2, parts: [{ text: "m3" }] });
    expect(of(state).wanted).toEqual([3]);
  });

  test("what is expunged is gone from the timeline, and a tombstone elsewhere", () => {
    const state = applyLog(some(), {
      type: "messages.expunged",
      conversation: "c",
      seq: 5,
      time: 5,
      through: 3,
    });
    expect(shown(state)).toEqual([4]);
    expect(of(state).book.get(2)).toEqual({
      conversation: "c",
      seq: 2,
      sender: "bob",
      created: 2,
      number: 2,
      deleted: 5,
    });
  });

  test("a page that is as old as the time before events is set right by them", () => {
    const react: LogEvent = {
      type: "reactions.changed",
      conversation: "c",
      seq: 5,
      time: 5,
      message: 2,
      name: "+1",
      added: true,
      reactions: [{ name: "+1", count: 1, users: ["eve"] }],
    };
    const since = [react, created(6)];
    const state = since.reduce(applyLog, known(4));
    const page = { messages: [message(2), message(3)] };
    const next = applyPage(state, "c", MAIN, page, {}, since);
    expect(shown(next)).toEqual([2, 3, 6]);
    expect(of(next).book.get(2)?.reactions?.[0]?.count).toBe(1);
  });

  test("what nobody holds goes, and what is shown elsewhere stays", () => {
    const state = applyTrim(some(), "c", [], 1);
    expect(shown(state)).toEqual([4]);
    expect(of(state).book.size).toBe(1);
    expect(of(applyTrim(state, "c", [], 0)).book.get(4)).toBeDefined(); // the last one
  });
});

function system(seq: number): Message {
  return { conversation: "c", seq, sender: null, created: seq, kind: "system" };
}

function reply(seq: number, thread: number): Message {
  return { conversation: "c", seq, sender: "bob", created: seq, thread, thread_number: 1 };
}

describe("syncs", () => {
  const mine = (seq: number) => ({
    conversation: { id: "c", kind: "group", seq } as const,
    membership: { state: "joined" } as const,
  });
  const windows = { timelines: new Map([[MAIN, [segment(0, END, 2)]]]), book: Book.empty.with(message(2)) };
  const before = { ...known(2, windows), token: "t1" };
  const page = (more: Partial<SyncPage>): SyncPage => ({ token: "t2", inbox: 0, inbox_events: [], ...more });

  test("events make up for what was missed", () => {
    const told = page({ conversations: [{ conversation: mine(3), seq: 3, events: [created(3)] }] });
    const state = applySync(before, told, { c: 2 }, true);
    expect(shown(state)).toEqual([2, 3]);
    expect(state.token).toBe("t2");
    expect(of(state).generation).toBe(of(before).generation);
  });

  test("too far: what there was is thrown away", () => {
    const told = page({
      conversations: [{ conversation: mine(90), seq: 90, too_far: true, more_before: true }],
    });
    const state = applySync(before, told, { c: 2 }, true);
    expect(of(state)).toMatchObject({ seq: 90, generation: of(before).generation + 1 });
    expect(of(state).timelines.size).toBe(0);
  });

  test("a reset leaves nothing that is not in it", () => {
    const other = { ...before, bookmarks: new Map([["c/2", { conversation: "c", message: 2, created: 1 }]]) };
    const state = applySync(other, page({ reset: true }), {}, true);
    expect([state.conversations.size, state.bookmarks.size, state.user]).toEqual([0, 0, "ada"]);
  });

  test("null is too many: to be asked for", () => {
    const state = applySync(before, page({ bookmarks: null, drafts: null }), {}, true);
    expect([...state.stale]).toEqual(["bookmarks", "drafts"]);
  });

  test("who has left is rid of all that was kept there", () => {
    const draft = { conversation: "c", updated: 1 };
    const thread = { conversation: "c", root: message(2), read: 2, unread: 0 };
    const kept = { ...before, drafts: new Map([["c/0", draft]]), threads: new Map([["c/2", thread]]) };
    const state = applySync(kept, page({ removed: ["c"] }), {}, true);
    expect([state.conversations.size, state.drafts.size, state.threads.size]).toEqual([0, 0, 0]);
  });

  test("an inbox of which events are lost has all windows read anew", () => {
    const { inbox_events: _, ...told } = page({ inbox: 9 });
    const state = applySync(before, told, {}, true);
    expect(of(state).timelines.size).toBe(0);
    expect(state.inbox).toBe(9);
  });
});

test("what is hidden goes from everywhere, with its thread", () => {
  const windows = {
    timelines: new Map([[MAIN, [segment(0, END, 2)]]]),
    book: Book.empty.with(message(2)),
    last: 2,
    pins: [2],
  };
  const before = known(2, windows);
  const state = applyInbox(before, {
    type: "message.hidden",
    seq: 1,
    time: 1,
    conversation: "c",
    message: 2,
  });
  expect(shown(state)).toEqual([]);
  expect([of(state).last, of(state).pins]).toEqual([undefined, []]);
  expect(applyInbox(state, { type: "message.hidden", seq: 1, time: 1, conversation: "c", message: 2 })).toBe(
    state,
  );
});

describe("items", () => {
  const windows = { timelines: new Map([[MAIN, [segment(0, END)]]]) };
  const send = (key: string, text: string, more: Partial<Pending> = {}): Pending =>
    ({
      method: "chat.messages.send",
      params: { conversation: "c", parts: [{ type: "text", text }] },
      id: `id-${key}`,
      key,
      state: "sending",
      added: 1,
      since: 1,
      ...more,
    }) as Pending;
  const made = (items: Items, state: ChatState, pending: readonly Pending[] = []) =>
    items.of(of(state), MAIN, segmentAt(of(state).timelines.get(MAIN), END), pending, [], "ada");

  test("one's own message that comes before its answer is the one that waits", () => {
    const items = new Items();
    const pending = [send("k1", "same"), send("k2", "same", { state: "queued" })];
    const waiting = made(items, known(1, windows), pending);
    expect(waiting.map((each) => [each.key, each.status])).toEqual([
      ["k1", "sending"],
      ["k2", "queued"],
    ]);
    const parts = [{ type: "text" as const, text: "same" }];
    const came = applyLog(known(1, windows), created(2, { sender: "ada", parts }));
    expect(made(items, came, pending).map((each) => [each.key, each.status])).toEqual([
      ["k1", "sent"],
      ["k2", "queued"],
    ]);
    const answered = applySent(came, { message: message(2, { sender: "ada", parts }) }, "k1");
    expect(made(items, answered, pending.slice(1)).map((each) => each.key)).toEqual(["k1", "k2"]);
    expect(made(items, answered, []).map((each) => each.key)).toEqual(["k1"]);
  });

  test("an older message that says the same is not it", () => {
    const state = applyLog(
      known(1, windows),
      created(2, { sender: "ada", parts: [{ type: "text", text: "ok" }] }),
    );
    const keys = made(new Items(), state, [send("k", "ok", { since: 2 })]).map((each) => each.key);
    expect(keys).toEqual(["2", "k"]);
  });

  test("an answer before the event shows the message at once, and the event changes nothing of it", () => {
    const items = new Items();
    const sent = { message: message(2, { sender: "ada" }) };
    const answered = applySent(known(1, windows), sent, "k");
    const [first] = made(items, answered);
    expect(first).toMatchObject({ key: "k", status: "sent" });
    const [second] = made(items, applyLog(answered, { ...created(2), message: sent.message } as LogEvent));
    expect(second).toBe(first);
  });

  test("items stay the same objects until something of them changes", () => {
    const items = new Items();
    const readers = new Map([
      ["bob", { user: "bob", read: 3, delivered: 3 }],
      ["eve", { user: "eve", read: 0, delivered: 0 }],
    ]);
    const before = [2, 3, 4].reduce(
      (state, seq) => applyLog(state, created(seq)),
      known(1, { ...windows, readers }),
    );
    const one = made(items, before);
    expect(made(items, { ...before, inbox: 3 })).toBe(one);
    const conversation = {
      ...of(before),
      readers: new Map([...readers, ["eve", { user: "eve", read: 3, delivered: 4 }]]),
    };
    const two = made(items, { ...before, conversations: new Map([["c", conversation]]) });
    expect(two.map((each) => each.receipts.read)).toEqual([1, 1, 0]);
    expect(two.map((each) => each.receipts.delivered)).toEqual([1, 1, 1]);
    const three = made(
      items,
      applyLog({ ...before, conversations: new Map([["c", conversation]]) }, created(5)),
    );
    expect(three.slice(0, 3).every((each, at) => each === two[at])).toBe(true);
  });
});

test.each([
  ["group", "member", "send", true],
  ["group", "reader", "send", false],
  ["group", "member", "pin", false],
  ["direct", "member", "pin", true],
  ["broadcast", "reader", "react", true],
  ["direct", "owner", "manage", false],
] as const)("in a %s a %s may %s: %s", (kind, role, permission, may) => {
  const view = { conversation: { id: "c", kind }, membership: { role, state: "joined" } } as const;
  expect(allowed(view, permission)).toBe(may);
  const others = { ...view.conversation, permissions: { [permission]: "reader" } } as const;
  expect(allowed({ ...view, conversation: others }, permission)).toBe(true);
});
