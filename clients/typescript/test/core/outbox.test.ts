import { IDBFactory } from "fake-indexeddb";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  indexedDbStorage,
  memoryStorage,
  Outbox,
  type OutboxStorage,
  type StoredEntry,
} from "../../src/index.js";
import { until } from "../server.js";
import { AWAY, CONNECTED, FakeClient, refusal } from "./fake-client.js";

let client: FakeClient;
let outbox: Outbox;

beforeEach(() => {
  client = new FakeClient();
});
afterEach(() => {
  outbox?.close();
  vi.unstubAllGlobals();
});

function open(storage: OutboxStorage = memoryStorage(), options = {}): Outbox {
  outbox = new Outbox(client, storage, options);
  return outbox;
}

const methods = () => client.calls.map((each) => each.method);
const states = () => outbox.entries.get().map((each) => each.state);
const up = () => client.connection.set(CONNECTED);

test("what is added is shown at once, and sent when there is a connection", async () => {
  open();
  const entry = outbox.add({ method: "m", params: { n: 1 }, group: "g" });
  expect(outbox.entries.get()).toEqual([entry]);
  expect(entry).toMatchObject({ method: "m", params: { n: 1 }, group: "g", state: "queued", attempts: 0 });
  const result = outbox.result(entry.id);
  await outbox.ready;
  expect(client.calls).toEqual([]);
  up();
  expect(await result).toEqual({ params: { n: 1 } });
  expect(outbox.entries.get()).toEqual([]);
  expect(client.calls).toEqual([{ method: "m", params: { n: 1 }, key: entry.key }]);
});

test("an idle client is connected", async () => {
  client.connection.set({ status: "idle" });
  open();
  expect(await outbox.result(outbox.add({ method: "m" }).id)).toEqual({ params: null });
});

test("nothing is sent before it is kept", async () => {
  const storage = memoryStorage();
  let keep: (() => void) | undefined;
  const slow = {
    ...storage,
    put: (entry: StoredEntry) =>
      new Promise<void>((done) => {
        keep = () => storage.put(entry).then(done);
      }),
  };
  open(slow);
  await outbox.ready;
  outbox.add({ method: "m" });
  up();
  await new Promise((done) => setTimeout(done, 20));
  expect(client.calls).toEqual([]);
  keep?.();
  await until(() => client.calls.length === 1);
});

test("a storage that fails is reported, and the entry is sent all the same", async () => {
  const errors: unknown[] = [];
  const broken: OutboxStorage = {
    load: () => Promise.reject(new Error("load")),
    put: () => Promise.reject(new Error("put")),
    remove: () => Promise.reject(new Error("remove")),
  };
  open(broken, { onError: (error: unknown) => errors.push((error as Error).message) });
  up();
  await outbox.result(outbox.add({ method: "m" }).id);
  await until(() => errors.length === 3);
  expect(errors).toEqual(["load", "put", "remove"]);
});

describe("order", () => {
  test("a group is sent one after the other; groups do not wait for each other", async () => {
    const answers: (() => void)[] = [];
    client.answer = () => new Promise((done) => answers.push(() => done(null)));
    open();
    for (const [method, group] of ["a1 a", "a2 a", "b1 b", "a3 a"].map((each) => each.split(" "))) {
      outbox.add({ method: method ?? "", group: group ?? "" });
    }
    up();
    await until(() => client.calls.length === 2);
    expect(methods()).toEqual(["a1", "b1"]);
    answers[0]?.();
    await until(() => client.calls.length === 3);
    expect(methods().at(-1)).toBe("a2");
    answers[2]?.();
    answers[1]?.();
    await until(() => client.calls.length === 4);
    expect(methods()).toEqual(["a1", "b1", "a2", "a3"]);
    answers[3]?.();
    await until(() => outbox.entries.get().length === 0);
  });

  test("a new group does not wait for one that is put off", async () => {
    client.answer = async ({ method }) => {
      if (method === "busy") throw refusal(true, { retryAfter: 3600 });
    };
    open();
    up();
    outbox.add({ method: "busy", group: "a" });
    await until(() => outbox.entries.get()[0]?.error);
    await outbox.result(outbox.add({ method: "free", group: "b" }).id);
    expect(outbox.entries.get()[0]).toMatchObject({
      method: "busy",
      attempts: 1,
      error: { name: "overloaded" },
    });
  });

  test("not all groups are sent at once", async () => {
    open();
    for (let n = 0; n < 40; n++) outbox.add({ method: `m${n}`, group: `g${n}` });
    up();
    await until(() => outbox.entries.get().length === 0);
    expect(client.calls).toHaveLength(40);
    expect(client.most).toBeLessThanOrEqual(8);
    expect(client.most).toBeGreaterThan(1);
  });
});

describe("refusals", () => {
  test("a temporary one is tried again, with the same key, before what comes behind it", async () => {
    let refusals = 2;
    client.answer = async ({ method }) => {
      if (method === "first" && refusals-- > 0) throw refusal(true);
      return method;
    };
    open();
    up();
    const first = outbox.add({ method: "first" });
    const second = outbox.add({ method: "second" });
    expect(await outbox.result(second.id)).toBe("second");
    expect(methods()).toEqual(["first", "first", "first", "second"]);
    expect(new Set(client.calls.slice(0, 3).map((each) => each.key))).toEqual(new Set([first.key]));
  });

  test("a final one stays and says why; what comes behind it goes on", async () => {
    client.answer = async ({ method }) => {
      if (method === "first") throw refusal(false);
      return method;
    };
    open();
    up();
    const first = outbox.add({ method: "first" });
    const waiting = outbox.result(first.id);
    await outbox.result(outbox.add({ method: "second" }).id);
    await expect(waiting).rejects.toMatchObject({ code: 104 });
    expect(outbox.entries.get()).toMatchObject([
      { id: first.id, state: "failed", attempts: 1, error: { code: 104, name: "permission_denied" } },
    ]);
    await expect(outbox.result(first.id)).rejects.toMatchObject({ code: 104 });
    client.answer = async () => "now";
    outbox.retry(first.id);
    expect(states()).toEqual(["queued"]);
    expect(outbox.entries.get()[0]).not.toHaveProperty("error");
    expect(await outbox.result(first.id)).toBe("now");
    expect(client.calls.at(-1)?.key).toBe(first.key);
    expect(outbox.entries.get()).toEqual([]);
  });

  test("what is discarded is gone, and whoever waits is told", async () => {
    client.answer = () => Promise.reject(refusal(false));
    const storage = memoryStorage();
    open(storage);
    up();
    const { id } = outbox.add({ method: "m" });
    await until(() => states()[0] === "failed");
    outbox.discard(id);
    outbox.retry(id);
    expect(outbox.entries.get()).toEqual([]);
    await expect(outbox.result(id)).rejects.toMatchObject({ name: "discarded" });
    await until(async () => (await storage.load()).length === 0);
    client.connection.set(AWAY);
    await outbox.ready;
    const queued = outbox.add({ method: "never" });
    const waiting = outbox.result(queued.id);
    outbox.discard(queued.id);
    await expect(waiting).rejects.toMatchObject({ name: "discarded" });
    up();
    await until(async () => (await storage.load()).length === 0);
    expect(methods()).toEqual(["m"]);
  });

  test("what is no JSON has failed", async () => {
    client.answer = () => Promise.reject(new TypeError("cyclic"));
    open();
    up();
    await expect(outbox.result(outbox.add({ method: "m" }).id)).rejects.toMatchObject({
      code: 107,
      message: "cyclic",
    });
  });
});

describe("drops", () => {
  test("what was under way is sent again with its key, in order", async () => {
    client.answer = () => new Promise(() => {});
    open();
    up();
    const keys = ["one", "two", "three"].map((method) => outbox.add({ method }).key);
    await until(() => states()[0] === "sending");
    client.connection.set(AWAY);
    await until(() => states()[0] === "queued");
    client.answer = async () => null;
    up();
    await until(() => outbox.entries.get().length === 0);
    expect(methods()).toEqual(["one", "one", "two", "three"]);
    expect(client.calls.map((each) => each.key)).toEqual([keys[0], ...keys]);
  });

  test("a client that is closed or has failed leaves them queued", async () => {
    client.answer = () => Promise.reject(refusal(false, { code: 1000, name: "closed" }));
    open();
    outbox.add({ method: "m" });
    up();
    await until(() => client.calls.length > 0);
    client.connection.set({ status: "closed" });
    await until(() => states()[0] === "queued");
  });
});

describe("in IndexedDB", () => {
  beforeEach(() => vi.stubGlobal("indexedDB", new IDBFactory()));

  test("entries survive a reload, in their order, with their keys and failures", async () => {
    client.answer = async ({ method }) => {
      if (method === "bad") throw refusal(false, { field: "text" });
    };
    open(indexedDbStorage("box"));
    up();
    const bad = outbox.add({ method: "bad", group: "g", params: { text: "x" } });
    await until(() => states()[0] === "failed");
    client.connection.set(AWAY);
    const queued = Array.from({ length: 20 }, (_, n) =>
      outbox.add({ method: `m${n}`, group: "g", params: [n] }),
    );
    await until(async () => (await indexedDbStorage("box").load()).length === 21);
    outbox.close();

    client = new FakeClient();
    client.answer = async () => "after the reload";
    open(indexedDbStorage("box"));
    await outbox.ready;
    expect(outbox.entries.get().map((each) => each.id)).toEqual([bad, ...queued].map((each) => each.id));
    expect(outbox.entries.get()[0]).toMatchObject({ state: "failed", error: { code: 104, field: "text" } });
    const last = outbox.result(queued[19]?.id ?? "");
    up();
    expect(await last).toBe("after the reload");
    expect(client.calls.map((each) => each.key)).toEqual(queued.map((each) => each.key));
    await until(async () => (await indexedDbStorage("box").load()).length === 1);
    outbox.discard(bad.id);
    await until(async () => (await indexedDbStorage("box").load()).length === 0);
  });

  test("an entry that was being sent when the page went is sent again", async () => {
    client.answer = () => new Promise(() => {});
    open(indexedDbStorage("box"));
    up();
    const entry = outbox.add({ method: "m" });
    await until(() => states()[0] === "sending");
    outbox.close();
    client = new FakeClient();
    open(indexedDbStorage("box"));
    up();
    await until(() => client.calls.length === 1);
    expect(client.calls[0]?.key).toBe(entry.key);
  });

  test("a database that another tab deletes is opened again", async () => {
    const storage = indexedDbStorage("box");
    await storage.put({ id: "1", method: "m", params: null, key: "k", group: "", added: 1, attempts: 0 });
    await new Promise((done, fail) => {
      const request = indexedDB.deleteDatabase("box");
      request.onsuccess = done;
      request.onerror = fail;
    });
    await expect(storage.load()).resolves.toEqual([]);
  });
});

test("where there is no IndexedDB, entries are kept in memory", async () => {
  const storage = indexedDbStorage("none");
  expect(storage.name).toBeUndefined();
  await storage.put({ id: "1", method: "m", params: null, key: "k", group: "", added: 1, attempts: 0 });
  expect(await storage.load()).toHaveLength(1);
});
