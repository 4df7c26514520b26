import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { copied, FrameLog, json, KEPT, note, read, shows } from "./frames.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

const frame = (content: object, direction: "in" | "out" = "in", http?: string) =>
  read(1, direction, JSON.stringify(content), http);

test("the last frames are kept, all are counted, and what changes often is shown now and then", () => {
  const log = new FrameLog();
  for (let n = 0; n <= KEPT; n++) log.add(n % 2 ? "in" : "out", '{"type":"ping"}');
  expect(log.get().total).toBe(0);
  vi.runAllTimers();
  const { frames, total, bytes, types } = log.get();
  expect([frames.length, frames.at(-1)?.key, total, bytes]).toEqual([
    KEPT,
    KEPT + 1,
    KEPT + 1,
    15 * (KEPT + 1),
  ]);
  expect(types).toEqual(["ping"]);
  log.clear();
  vi.runAllTimers();
  expect(log.get()).toMatchObject({ frames: [], total: KEPT + 1 });
});

test.each([
  [{ type: "connect", token: "t" }, "token"],
  [{ type: "connect", resume: {} }, "resume"],
  [{ type: "connected", session: "s" }, "s"],
  [{ type: "connected", session: "s", resumed: true }, "resumed"],
  [{ type: "connected", session: "s", resumed: true, recovered: true }, "resumed, recovered"],
  [{ type: "publication", event: "e", offset: 7 }, "e #7"],
  [{ type: "publication", event: "e" }, "e"],
  [{ type: "published", position: { offset: 7 } }, "#7"],
  [{ type: "published" }, ""],
  [{ type: "subscribed", channel: "c", position: { offset: 7 } }, "c #7"],
  [{ type: "join", member: { user: "ada" } }, "ada"],
  [{ type: "error", code: 104, name: "permission_denied" }, "104 permission_denied"],
  [{ type: "disconnect", code: 3000, reason: "shutdown" }, "3000 shutdown"],
  [{ type: "result", result: { publications: [1, 2] } }, "publications: 2"],
  [{ type: "result", result: null }, ""],
  [{ type: "call", method: "chat.me.get" }, "chat.me.get"],
  [{ type: "publish", channel: "c", event: "e" }, "e"],
])("what is worth a look: %j", (content, expected) => {
  expect(note(frame(content))).toBe(expected);
});

test("over HTTP the address says what has no type; what is no JSON is shown as it is", () => {
  expect(frame({ token: "t" }, "out", "POST /a/v1/sessions").type).toBe("connect");
  expect(frame({ session: "s" }, "in", "POST /a/v1/sessions").type).toBe("connected");
  expect(frame({ code: 101 }, "in", "POST /a/v1/sessions").type).toBe("error");
  expect(read(1, "in", "<html>", "GET /")).toMatchObject({ type: "?", content: "<html>" });
});

test("frames are filtered by direction, type and text", () => {
  const ping = frame({ type: "ping" }, "out");
  const pong = frame({ type: "result", result: {} });
  const other = frame({ type: "publication", data: "Hello" });
  const shown = (filter: Parameters<typeof shows>[1], search = "") =>
    [ping, pong, other].filter((each) => shows(each, filter, search));
  expect(shown("all")).toEqual([ping, pong, other]);
  expect(shown("but-pings")).toEqual([other]);
  expect(shown("out")).toEqual([ping]);
  expect(shown("in")).toEqual([pong, other]);
  expect(shown("type:result")).toEqual([pong]);
  expect(shown("all", "hello")).toEqual([other]);
});

test("what would let somebody in is neither shown nor copied", () => {
  const secret = "abcdefghijklmnop";
  const connect = frame({ type: "connect", token: secret, resume: { secret } }, "out");
  for (const text of [json(connect.content), copied([connect])]) {
    expect(text).not.toContain(secret);
    expect(text.match(/abcdef… \(16 characters\)/g)).toHaveLength(2);
  }
  expect(copied([connect])).toMatch(/^1970-01-01T00:00:00\.000Z > \{"type":"connect"/);
});
