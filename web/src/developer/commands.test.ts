import { expect, test } from "vitest";
import { commandOf, type Fields, titleOf } from "./commands.ts";
import { readReference } from "./reference.ts";

const FIELDS: Fields = {
  kind: "publish",
  channel: "lobby",
  event: "message",
  json: "",
  method: " chat.me.get ",
  limit: "5",
  newest: true,
};

test.each([
  [{ json: '{"a":1}' }, { kind: "publish", channel: "lobby", event: "message", data: { a: 1 } }],
  [{}, { kind: "publish", channel: "lobby", event: "message", data: null }],
  [{ kind: "subscribe" }, { kind: "subscribe", channel: "lobby" }],
  [{ kind: "history" }, { kind: "history", channel: "lobby", limit: 5, reverse: true }],
  [
    { kind: "call", json: "[]" },
    { kind: "call", method: "chat.me.get", params: [] },
  ],
  [
    { kind: "raw", json: '{"id":7,"type":"ping"}' },
    { kind: "raw", command: { type: "ping" } },
  ],
] as const)("%j is read as it is meant", (fields, expected) => {
  expect(commandOf({ ...FIELDS, ...fields })).toEqual(expected);
});

test.each(["{", "'a'", '{"a":}'])("what is no JSON is refused: %s", (json) => {
  expect(() => commandOf({ ...FIELDS, json })).toThrow(SyntaxError);
});

test.each(["", "null", "[]", '"ping"', '{"type":1}', "{}"])("a command must say what it is: %s", (json) => {
  expect(() => commandOf({ ...FIELDS, kind: "raw", json })).toThrow(TypeError);
});

test("exchanges are called by what was asked", () => {
  const title = (fields: Partial<Fields>) => titleOf(commandOf({ ...FIELDS, ...fields }));
  expect(title({ kind: "presence" })).toBe("presence lobby");
  expect(title({ kind: "call" })).toBe("call chat.me.get");
  expect(title({ kind: "raw", json: '{"type":"ping"}' })).toBe("ping");
});

test("the server's own description says what to do about errors, and which methods there are", () => {
  const { advice, methods } = readReference({
    operations: { receiveConnect: { title: "connect" }, "call.b": { title: "b" }, "call.a": { title: "a" } },
    "x-errors": [{ code: 104, advice: "Ask." }],
    "x-disconnects": [{ code: 3000, advice: "Wait." }],
  });
  expect([...advice]).toEqual([
    [104, "Ask."],
    [3000, "Wait."],
  ]);
  expect(methods).toEqual(["a", "b"]);
  expect(readReference({})).toEqual({ advice: new Map(), methods: [] });
});
