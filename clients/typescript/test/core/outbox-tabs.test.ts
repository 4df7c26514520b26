// Two tabs of one browser: one database, one channel between them, and Web Locks, which are made here.

import { IDBFactory } from "fake-indexeddb";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { indexedDbStorage, Outbox } from "../../src/index.js";
import { until } from "../server.js";
import { AWAY, CONNECTED, FakeClient, refusal } from "./fake-client.js";

class FakeLocks {
  held = 0;
  most = 0;
  #queue: Promise<unknown> = Promise.resolve();

  request<T>(_name: string, { signal }: { signal?: AbortSignal }, work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(async () => {
      signal?.throwIfAborted();
      this.most = Math.max(this.most, ++this.held);
      try {
        return await work();
      } finally {
        this.held--;
      }
    });
    this.#queue = turn.catch(() => {});
    return turn;
  }
}

let locks: FakeLocks;
let tabs: { client: FakeClient; outbox: Outbox }[];

beforeEach(() => {
  locks = new FakeLocks();
  tabs = [];
  vi.stubGlobal("indexedDB", new IDBFactory());
  vi.stubGlobal("navigator", { locks });
});
afterEach(() => {
  for (const { outbox } of tabs) outbox.close();
  vi.unstubAllGlobals();
});

function tab() {
  const client = new FakeClient();
  const outbox = new Outbox(client, indexedDbStorage("shared"));
  tabs.push({ client, outbox });
  return { client, outbox };
}

const keys = () => tabs.flatMap(({ client }) => client.calls.map((each) => each.key));

test("both show all entries, one sends each, and whoever waits is told in either", async () => {
  const [one, two] = [tab(), tab()];
  const added = [];
  for (let n = 0; n < 10; n++) {
    added.push(one.outbox.add({ method: "m", params: n, group: "g" }));
    added.push(two.outbox.add({ method: "m", params: n + 100, group: "g" }));
  }
  await until(() => one.outbox.entries.get().length === 20 && two.outbox.entries.get().length === 20);
  expect(one.outbox.entries.get().map((each) => each.id)).toEqual(
    two.outbox.entries.get().map((each) => each.id),
  );
  const results = added.map(({ id }, at) => (at % 2 === 0 ? two : one).outbox.result(id));
  one.client.connection.set(CONNECTED);
  two.client.connection.set(CONNECTED);
  expect(await Promise.all(results)).toHaveLength(20);
  expect(keys().sort()).toEqual(added.map((each) => each.key).sort());
  expect(locks.most).toBe(1);
  await until(() => tabs.every(({ outbox }) => outbox.entries.get().length === 0));
});

test("a tab that is away leaves the sending to one that is not", async () => {
  const [away, here] = [tab(), tab()];
  here.client.connection.set(CONNECTED);
  const { id } = away.outbox.add({ method: "m", params: 7 });
  expect(await away.outbox.result(id)).toEqual({ params: 7 });
  expect(away.client.calls).toEqual([]);
});

test("a tab whose connection goes in the middle hands on, and nothing is sent twice by two at once", async () => {
  const [one, two] = [tab(), tab()];
  one.client.answer = () => new Promise(() => {});
  one.client.connection.set(CONNECTED);
  const first = one.outbox.add({ method: "m", group: "g" });
  const second = one.outbox.add({ method: "n", group: "g" });
  await until(() => one.client.calls.length === 1);
  two.client.connection.set(CONNECTED);
  const result = one.outbox.result(second.id);
  await until(() => two.outbox.entries.get().length === 2);
  expect(two.client.calls).toEqual([]);
  one.client.connection.set(AWAY);
  await result;
  expect(two.client.calls.map((each) => each.key)).toEqual([first.key, second.key]);
});

test("failures, retries and discards are seen in both", async () => {
  const [one, two] = [tab(), tab()];
  one.client.answer = () => Promise.reject(refusal(false));
  one.client.connection.set(CONNECTED);
  const { id } = one.outbox.add({ method: "m" });
  const other = one.outbox.add({ method: "m" });
  await until(() => two.outbox.entries.get().filter((each) => each.state === "failed").length === 2);
  two.client.connection.set(CONNECTED);
  one.client.answer = async () => "at last";
  two.client.answer = async () => "at last";
  two.outbox.retry(id);
  await until(() => one.outbox.entries.get().length === 1);
  two.outbox.discard(other.id);
  await until(() => one.outbox.entries.get().length === 0);
});
