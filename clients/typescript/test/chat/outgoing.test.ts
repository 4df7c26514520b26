/** What is on its way, between the outbox and the log: shown all the time, once, and in its order. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Items, type Pending } from "../../src/chat/items.js";
import { applyLog } from "../../src/chat/log.js";
import { Outgoing } from "../../src/chat/outgoing.js";
import { begun, type ConversationState, EMPTY, MAIN, patch } from "../../src/chat/state.js";
import { Store } from "../../src/chat/store.js";
import { segmentAt } from "../../src/chat/timeline.js";
import type { LogEvent, Message } from "../../src/chat.js";
import { memoryStorage, Outbox } from "../../src/index.js";
import { AWAY, CONNECTED, FakeClient } from "../core/fake-client.js";

const END = Number.POSITIVE_INFINITY;
const text = (words: string) => [{ type: "text" as const, text: words }];

function message(seq: number, words: string): Message {
  return { conversation: "c", seq, sender: "ada", created: seq, number: seq, parts: text(words) };
}

const created = (seq: number, words: string): LogEvent => ({
  type: "message.created",
  conversation: "c",
  seq,
  time: seq,
  message: message(seq, words),
});

let client: FakeClient;
let outbox: Outbox;
let outgoing: Outgoing;
let store: Store;
let items: Items;
let now: number;
let live: boolean;

/** A device of Ada's that has all of a conversation whose log is at 1. */
beforeEach(async () => {
  vi.useFakeTimers();
  client = new FakeClient();
  client.connection.set(CONNECTED);
  outbox = new Outbox(client, memoryStorage());
  store = new Store();
  items = new Items();
  [now, live] = [1_000, true];
  const mine = { conversation: { id: "c", kind: "group", seq: 1 }, membership: { state: "joined" } } as const;
  const timelines = new Map([[MAIN, [{ from: 0, to: END, seqs: [] }]]]);
  store.update(() => ({
    ...EMPTY,
    user: "ada",
    conversations: new Map([["c", { ...begun(mine, 1), timelines }]]),
  }));
  outgoing = new Outgoing(
    outbox,
    store,
    () => now,
    () => live,
  );
  await outbox.ready;
});
afterEach(() => {
  outgoing.stop();
  outbox.close();
  vi.useRealTimers();
});

const tick = (milliseconds = 0) => vi.advanceTimersByTimeAsync(milliseconds);
const known = () => store.state.get().conversations.get("c") as ConversationState;

/** What the list shows: keys, texts and statuses. */
function shown(pending: readonly Pending[] = outgoing.pending.get()) {
  const segment = segmentAt(known().timelines.get(MAIN), END);
  const found = items.of(known(), MAIN, segment, pending, [], "ada", true);
  return found.map(({ key, message, status }) => [
    key,
    (message.parts?.[0] as { text?: string } | undefined)?.text ?? "",
    status,
  ]);
}

function send(key: string): void {
  const params = { conversation: "c", parts: text(key) };
  outgoing.add({ method: "chat.messages.send", params }, key, "c").catch(() => undefined);
}

describe("messages", () => {
  test("stay in the order in which they were written, whatever the clocks say", async () => {
    client.connection.set(AWAY);
    for (const key of ["one", "two", "three"]) {
      send(key);
      now -= 100; // the server's clock was guessed wrong
      vi.setSystemTime(Date.now() - 60_000);
      await tick();
    }
    expect(shown().map(([key]) => key)).toEqual(["one", "two", "three"]);
  });

  test("do not vanish while the end of the list is read anew", async () => {
    client.answer = async () => ({ message: message(2, "hello") });
    const timelines = known().timelines;
    store.update((state) => patch(state, "c", (each) => ({ ...each, seq: 5, timelines: new Map() })));
    send("hello");
    await tick();
    expect(outbox.entries.get()).toEqual([]);
    expect(shown()).toEqual([["hello", "hello", "sending"]]);
    // The page is here.
    store.update((state) =>
      patch(state, "c", (each) => ({
        ...each,
        timelines: new Map([...timelines].map(([at, [one]]) => [at, one ? [{ ...one, seqs: [2] }] : []])),
        book: each.book.with(message(2, "hello")),
      })),
    );
    expect(shown()).toEqual([["hello", "hello", "sent"]]);
    await tick();
    expect(shown()).toEqual([["hello", "hello", "sent"]]);
    expect(outgoing.pending.get()).toEqual([]);
  });

  test.each(["sending", "queued"] as const)("are shown once when their answer was lost: %s", (state) => {
    const params = { conversation: "c", parts: text("hello") };
    const one = { method: "chat.messages.send", params, added: 1, since: 1 } as const;
    const first: Pending = { ...one, id: "1", key: "k1", state };
    const second: Pending = { ...one, id: "2", key: "k2", state: "queued" };
    store.update((all) => applyLog(all, created(2, "hello")));
    expect(shown([first, second])).toEqual([
      ["k1", "hello", "sent"],
      ["k2", "hello", "queued"],
    ]);
  });
});

describe("between an answer and its event", () => {
  const edit = (words: string) =>
    outgoing.add(
      { method: "chat.messages.edit", params: { conversation: "c", message: 2, parts: text(words) } },
      words,
      "c",
    );

  beforeEach(() => {
    store.update((state) => applyLog(state, created(2, "first")));
    client.answer = async () => ({ conversation: "c", message: 2, version: 2 });
  });

  test("a lost connection takes nothing back, however long it lasts", async () => {
    await edit("second");
    live = false;
    await tick(60_000);
    expect(shown().map(([, words]) => words)).toEqual(["second"]);
    const now = { ...message(2, "second"), version: 2, edited: 3 };
    store.update((state) =>
      applyLog(state, { type: "message.updated", conversation: "c", seq: 3, time: 3, message: now }),
    );
    await tick();
    expect(outgoing.pending.get()).toEqual([]);
    expect(shown().map(([, words]) => words)).toEqual(["second"]);
  });

  test("what no event says is not shown for ever", async () => {
    await edit("second");
    await tick(2_000);
    expect(shown().map(([, words]) => words)).toEqual(["second"]);
    await tick(2_000);
    expect(shown().map(([, words]) => words)).toEqual(["first"]);
  });

  test("nothing is waited for once it is stopped", async () => {
    await edit("second");
    live = false;
    outgoing.stop();
    await tick(10_000);
    expect(vi.getTimerCount()).toBe(0);
  });
});
