import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROUTES } from "../../src/generated/routes.js";
import { HubbubError, HubbubServer } from "../../src/server.js";
import { Server } from "../server.js";

const ROOT = resolve(import.meta.dirname, "../../../..");
const PYTHON = resolve(ROOT, process.env.HUBBUB_VENV ?? ".venv", "bin/python");

const API_KEY = `hubbub_${randomBytes(32).toString("base64url")}`;

let server: Server;
let hubbub: HubbubServer;

beforeAll(async () => {
  server = await Server.start({
    settings: {
      "auth.api_keys": `sha256:${createHash("sha256").update(API_KEY).digest("hex")}`,
      "namespaces.orders.retention": 100,
      "namespaces.orders.presence": "full",
    },
  });
  hubbub = new HubbubServer(server.url, { apiKey: API_KEY, tokenSecret: server.secret });
});
afterAll(() => server?.stop());

async function caught(promise: Promise<unknown>): Promise<HubbubError> {
  const error = await promise.catch((each: unknown) => each);
  if (!(error instanceof HubbubError)) throw new Error(`no HubbubError but ${String(error)}`);
  return error;
}

/** A session of `user`, open as an event stream until it is left. */
async function session(user: string, channel = `user:${user}`) {
  const controller = new AbortController();
  const token = await hubbub.token(user, { channels: { "*": ["*"] } });
  const response = await fetch(`${server.url}/v1/sse?channel=${channel}`, {
    headers: { Authorization: `Bearer ${token}` },
    signal: controller.signal,
  });
  const chunks = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    status: response.status,
    /** All that has come, once `part` is in it or the stream has ended. */
    async until(part: string): Promise<string> {
      while (!text.includes(part)) {
        const { value, done } = (await chunks?.read()) ?? { value: "", done: true };
        if (done) break;
        text += value;
      }
      return text;
    },
    leave: () => controller.abort(),
  };
}

describe("tokens", () => {
  const me = async (token: string) => {
    const response = await fetch(`${server.url}/v1/me`, { headers: { Authorization: `Bearer ${token}` } });
    return (await response.json()) as { user?: { id: string; name?: string; kind?: string }; code?: number };
  };

  test("are taken, and say who it is", async () => {
    const token = await hubbub.token("zoë 🦊", { info: { name: "Zoë" }, kind: "agent" });
    expect((await me(token)).user).toMatchObject({ id: "zoë 🦊", name: "Zoë", kind: "agent" });
  });

  test("end", async () => {
    expect((await me(await hubbub.token("ada", { ttl: 60, now: 1_790_000_000 }))).code).toBe(103);
  });

  test("of one channel do not connect", async () => {
    expect((await me(await hubbub.channelToken("ada", "orders:eu"))).code).toBe(102);
  });

  test("can be revoked, one by one and all", async () => {
    const one = await hubbub.token("rex", { tokenId: "t-1" });
    const other = await hubbub.token("rex", { tokenId: "t-2" });
    await hubbub.revoke({ tokenId: "t-1" });
    expect((await me(one)).code).toBe(102);
    expect((await me(other)).user?.id).toBe("rex");
    await hubbub.revoke({ user: "rex" });
    expect((await me(other)).code).toBe(102);
  });
});

describe("channels", () => {
  test("keep what is published, once for each key", async () => {
    const first = await hubbub.publish("orders:keep", "paid", { id: 7 }, { key: "k1" });
    const again = await hubbub.publish("orders:keep", "paid", { id: 7 }, { key: "k1" });
    expect(again).toEqual({ ...first, duplicate: true });
    expect((await caught(hubbub.publish("orders:keep", "paid", { id: 8 }, { key: "k1" }))).code).toBe(117);
    await hubbub.publish("orders:keep", "paid", { id: 8 });
    const history = await hubbub.history("orders:keep");
    expect(history.publications.map((each) => each.data)).toEqual([{ id: 7 }, { id: 8 }]);
    expect(history).toMatchObject({ complete: true, more: false, position: { offset: 2 } });
    const newest = await hubbub.history("orders:keep", { reverse: true, limit: 1 });
    expect(newest.publications.map((each) => each.data)).toEqual([{ id: 8 }]);
    const { position } = first;
    const after = await hubbub.history("orders:keep", { ...(position && { since: position }) });
    expect(after.publications.map((each) => each.offset)).toEqual([2]);
  });

  test("take many publications, each with an outcome of its own", async () => {
    const outcomes = await hubbub.publishMany([
      { channel: "orders:many", event: "a", data: 1 },
      { channel: "not a channel", data: 2 },
      { channel: "orders:many", data: 3 },
    ]);
    expect(outcomes.map((each) => each.error?.code ?? each.published?.position?.offset)).toEqual([1, 110, 2]);
    const cast = await hubbub.broadcast(["orders:x", "orders:y"], "sale", { off: 10 });
    expect(cast.map((each) => each.published?.position?.offset)).toEqual([1, 1]);
    const page = await hubbub.channels({ prefix: "orders:m" });
    expect(page.channels.map((each) => each.name)).toEqual(["orders:many"]);
  });

  test("reach who is there, who can be seen, addressed, moved and sent away", async () => {
    const ada = await session("ada", "orders:live");
    expect(ada.status).toBe(200);
    await ada.until("\n\n");
    expect(await hubbub.channel("orders:live")).toMatchObject({ name: "orders:live", subscribers: 1 });
    expect(await hubbub.presence("orders:live")).toMatchObject({ sessions: 1, users: 1 });
    await hubbub.publish("orders:live", "paid", { id: 7 });
    expect(await ada.until('"id":7')).toContain("paid");

    const [found] = (await hubbub.connections({ user: "ada" })).connections;
    const id = found?.session ?? "";
    expect(await hubbub.connection(id)).toMatchObject({ user: "ada", session: id });
    expect(await hubbub.send({ user: "ada" }, "note", "to all")).toMatchObject({ sessions: 1 });
    expect(await hubbub.send({ session: id }, "note", "to one")).toMatchObject({ sessions: 1 });
    expect(await ada.until("to one")).toContain("to all");
    expect(await hubbub.subscribe("ada", "orders:more")).toMatchObject({ sessions: 1 });
    expect((await hubbub.connection(id)).channels).toContain("orders:more");
    expect(await hubbub.unsubscribe("ada", "orders:more")).toMatchObject({ sessions: 1 });

    expect(await hubbub.disconnect({ session: id }, { code: 4001 })).toMatchObject({ sessions: 1 });
    expect(await ada.until("never said")).toContain("4001");
    expect(await hubbub.disconnect({ user: "ada" })).toMatchObject({ sessions: 0 });
    expect((await caught(hubbub.connection(id))).name).toBe("not_found");
    ada.leave();
  });
});

test("the processes and their dead letters", async () => {
  expect((await hubbub.nodes()).nodes).toHaveLength(1);
  expect((await hubbub.placement("orders:eu", { count: 1 })).nodes).toHaveLength(1);
  expect(await hubbub.deadLetters({ limit: 5 })).toEqual({ letters: [] });
  expect(await hubbub.dropDeadLetters("all")).toEqual({ letters: 0 });
  expect((await caught(hubbub.deadLetter("1-0"))).name).toBe("not_found");
  expect((await caught(hubbub.replayDeadLetter("1-0"))).name).toBe("not_found");
});

describe("the chat", () => {
  test("as the server, and in the place of users", async () => {
    await hubbub.chat.users.upsert({ user: "dora", name: "Dora" });
    await hubbub.chat.users.upsert({ user: "emil/ü", name: "Emil" });
    const dora = hubbub.as("dora");
    const emil = hubbub.as("emil/ü");
    const made = await dora.chat.conversations.create({
      kind: "group",
      name: "Release",
      members: [{ user: "emil/ü" }],
    });
    const { id } = made.conversation;
    const text = { type: "text" as const, text: "Ship it?" };
    const sent = await dora.chat.messages.send({ conversation: id, parts: [text] }, { key: "m1" });
    const again = await dora.chat("messages.send", { conversation: id, parts: [text] }, { key: "m1" });
    expect(again.message.seq).toBe(sent.message.seq);
    await emil.chat.reactions.add({ conversation: id, message: sent.message.seq, name: "👍" });
    const page = await emil.chat.messages.list({ conversation: id, limit: 20 });
    const shown = page.messages.find((each) => each.seq === sent.message.seq);
    expect(shown).toMatchObject({ sender: "dora", parts: [text], reactions: [{ count: 1 }] });
    const found = await emil.chat.search({ query: "ship" });
    expect(found.hits.map((each) => each.message.seq)).toEqual([sent.message.seq]);
    expect((await emil.chat.users.query({ ids: ["dora", "nobody"] })).users.map((each) => each.name)).toEqual(
      ["Dora"],
    );

    const file = await dora.upload(new Blob(["All is well.\n"]), { name: "report ü.txt" });
    expect(file).toMatchObject({ name: "report ü.txt", size: 13 });
    await dora.chat.messages.send({ conversation: id, parts: [{ type: "file", file: file.id }] });
    const bytes = await emil.upload(new Uint8Array([104, 105]), { name: "b.txt" });
    expect(bytes.size).toBe(2);
  });

  test("refuses with the names of the table", async () => {
    await hubbub.chat.users.upsert({ user: "fay" });
    const fay = hubbub.as("fay").chat;
    expect(await caught(fay.conversations.get({ conversation: "none" }))).toMatchObject({ code: 105 });
    expect(await caught(fay.users.upsert({ user: "dora", name: "x" }))).toMatchObject({
      name: "permission_denied",
    });
    expect(await caught(hubbub.as("nobody").chat.me.get())).toMatchObject({
      code: 105,
      field: "Hubbub-User",
    });
    const wrong = fay.messages.send({ conversation: "none", parts: 1 as never });
    expect(await caught(wrong)).toMatchObject({ name: "validation_failed", temporary: false });
    const stranger = new HubbubServer(server.url, { apiKey: "hubbub_wrong" });
    expect(await caught(stranger.nodes())).toMatchObject({ name: "unauthenticated" });
  });

  test("has each operation where it is looked for", async () => {
    for (const [method, template] of Object.values(ROUTES)) {
      const path = template.replaceAll(/\{\w+\}/g, "1");
      const response = await fetch(`${server.url}/v1${path}`, {
        method,
        headers: { Authorization: `Bearer ${API_KEY}` },
        ...(["POST", "PUT", "PATCH"].includes(method) && { body: '{"unknown": 1}' }),
      });
      const answer = (await response.json()) as { name?: string; message?: string };
      expect(answer.name, `${method} ${path}`).not.toBe("method_not_allowed");
      expect(answer.message ?? "", `${method} ${path}`).not.toContain("nothing at this path");
    }
  });
});

test("src/generated/rest.ts is what the server's code says", async () => {
  await promisify(execFile)(PYTHON, ["docs/generate_typescript_rest.py", "--check"], { cwd: ROOT });
});
