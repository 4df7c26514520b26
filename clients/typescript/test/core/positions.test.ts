// What has been seen, what was missed, and what cannot be had any more.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Hubbub, type HubbubOptions } from "../../src/index.js";
import { connected, publication, Script } from "../scripted.js";

let script: Script;
let hubbub: Hubbub;

beforeEach(() => {
  vi.useFakeTimers();
  script = new Script();
});
afterEach(async () => {
  await hubbub?.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function client(options: HubbubOptions = {}): Hubbub {
  hubbub = new Hubbub("http://server.test", {
    token: "t",
    transports: ["websocket"],
    WebSocket: script.WebSocket,
    ...options,
  });
  return hubbub;
}

const tick = (milliseconds = 0) => vi.advanceTimersByTimeAsync(milliseconds);

test("offsets up to 2^53 - 1 are exact; beyond that nothing is dropped, and a return tells of a gap", async () => {
  client();
  const most = Number.MAX_SAFE_INTEGER;
  script.answer = (socket, command) => {
    if (command.type !== "subscribe") return;
    const position = { epoch: "e", offset: most - 2 };
    socket.say({ type: "subscribed", id: command.id, channel: "c", recoverable: true, position });
  };
  const seen: unknown[] = [];
  const handlers = {
    publication: (each: { data: unknown }) => seen.push(each.data),
    gap: () => seen.push("gap"),
  };
  await hubbub.channel("c").subscribe(handlers).ready;
  const { socket } = script;
  socket.say(publication("c", most - 2, "old"), publication("c", most - 1, "a"), publication("c", most, "b"));
  socket.say(publication("c", most, "again"));
  expect(seen).toEqual(["a", "b"]);
  for (const tail of ["9007199254740993", "9223372036854775807", "9223372036854775807"]) {
    const raw = JSON.stringify(publication("c", 1, tail)).replace('"offset":1', `"offset":${tail}`);
    socket.say(raw);
  }
  expect(seen).toHaveLength(5);
  socket.end();
  script.hello = (next, command) => {
    const position = { epoch: "e", offset: most };
    const subscriptions = [{ type: "subscribed", id: 0, channel: "c", recoverable: true, position }];
    expect(command.resume?.positions).toEqual({});
    next.say(connected(command, { subscriptions, recovered: false }));
  };
  await tick(300);
  expect(seen.at(-1)).toBe("gap");
});

test("a log that begins anew while we listen is a gap", async () => {
  client();
  const seen: unknown[] = [];
  await hubbub.channel("c").subscribe({
    publication: (each) => seen.push(each.data),
    gap: ({ since, position }) => seen.push([since, position]),
  }).ready;
  script.socket.say(
    publication("c", 7, 1, "old"),
    publication("c", 1, 2, "new"),
    publication("c", 2, 3, "new"),
  );
  expect(seen).toEqual([
    1,
    [
      { epoch: "old", offset: 7 },
      { epoch: "new", offset: 0 },
    ],
    2,
    3,
  ]);
});

test("a channel that the server left while we were away is over", async () => {
  client();
  const seen: unknown[] = [];
  await hubbub.channel("c").subscribe({ unsubscribed: (each) => seen.push(each.code) }).ready;
  script.socket.end();
  script.hello = (socket, command) => socket.say(connected(command, { subscriptions: [] }));
  await tick(300);
  expect(seen).toEqual([113]);
  expect(script.socket.received.map((each) => each.type)).toEqual(["connect"]);
});

test("a channel that the server entered for us meanwhile is entered again, to hear what we missed", async () => {
  client();
  const seen: unknown[] = [];
  const position = { epoch: "e", offset: 5 };
  script.answer = (socket, command) => {
    if (command.type === "unsubscribe") socket.say({ type: "result", id: command.id, result: {} });
    if (command.type !== "subscribe") return;
    socket.say({ type: "subscribed", id: command.id, channel: "c", recoverable: true, position });
  };
  const handlers = {
    publication: (each: { data: unknown }) => seen.push(each.data),
    gap: () => seen.push("gap"),
  };
  await hubbub.channel("c").subscribe(handlers).ready;
  script.hello = (socket, command) => {
    if (command.resume) socket.say({ type: "error", id: command.id, code: 119, message: "gone" });
    else {
      const now = { epoch: "e", offset: 8 };
      socket.say(connected(command), {
        type: "subscribed",
        channel: "c",
        recoverable: true,
        position: now,
      });
    }
  };
  let refused = false;
  script.answer = (socket, command) => {
    if (command.type === "unsubscribe") socket.say({ type: "result", id: command.id, result: {} });
    if (command.type !== "subscribe") return;
    expect(command.since).toEqual(position);
    if (!refused) {
      refused = true;
      return socket.say({ type: "error", id: command.id, code: 112, message: "already" });
    }
    const publications = [6, 7, 8].map((offset) => publication("c", offset, offset));
    const reply = { type: "subscribed", id: command.id, channel: "c", recoverable: true, recovered: true };
    socket.say({ ...reply, publications, position: { epoch: "e", offset: 8 } });
  };
  script.socket.end();
  await tick(300);
  expect(seen).toEqual([6, 7, 8]);
});

test("a subscribe that is put off is tried again", async () => {
  client();
  let refusals = 1;
  script.answer = (socket, { type, id }) => {
    if (type !== "subscribe") return;
    if (refusals-- > 0)
      socket.say({ type: "error", id, code: 116, message: "m", temporary: true, retry_after: 2 });
    else socket.say({ type: "subscribed", id, channel: "c" });
  };
  const { ready } = hubbub.channel("c").subscribe(() => {});
  await tick(1_900);
  expect(refusals).toBe(0);
  await tick(400);
  expect(await ready).toMatchObject({ channel: "c", recoverable: false });
});

test("what comes before the answer that it follows is told after it, in order and once", async () => {
  client();
  const seen: unknown[] = [];
  script.answer = (socket, command) => {
    if (command.type !== "subscribe") return;
    socket.say(publication("c", 2, "b"), publication("c", 3, "c"));
    const publications = [publication("c", 1, "a"), publication("c", 2, "b")];
    const position = { epoch: "e", offset: 2 };
    const reply = { type: "subscribed", id: command.id, channel: "c", recoverable: true, recovered: true };
    socket.say({ ...reply, publications, position });
  };
  const since = { epoch: "e", offset: 0 };
  await hubbub.channel("c", { since }).subscribe((each) => seen.push(each.data)).ready;
  expect(seen).toEqual(["a", "b", "c"]);
});
