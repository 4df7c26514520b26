import type { ConversationView } from "hubbub/chat";
import { expect, test } from "vitest";
import { view } from "../conversations/example.test-data.ts";
import { stateOf, worthTelling } from "./telling.ts";

const ALL = { notifications: "all" } as const;
const message = (seq: number, sender: string, more: object = {}) =>
  ({ conversation: "x", seq, sender, created: 1, parts: [], ...more }) as unknown as NonNullable<
    ConversationView["lastMessage"]
  >;
const before = { last: 5, unread: 0, mentions: 0 };
const fresh = (changes: Partial<ConversationView> = {}) =>
  view("x", { unread: 1, lastMessage: message(6, "bob"), ...changes });

test("a new message of somebody else is news", () => {
  expect(worthTelling(fresh(), before, "ada", ALL)).toBe(true);
});

test.each([
  ["what was there before", fresh(), stateOf(fresh()), ALL],
  ["what is seen for the first time", fresh(), undefined, ALL],
  ["one's own message", fresh({ lastMessage: message(6, "ada") }), before, ALL],
  [
    "what was sent silently",
    fresh({ lastMessage: message(6, "bob", { options: { silent: true } }) }),
    before,
    ALL,
  ],
  ["what is muted", fresh({ muted: true }), before, ALL],
  ["what is read already", fresh({ unread: 0 }), before, ALL],
  ["anything, for who wants nothing", fresh(), before, { notifications: "none" }],
  ["a message in a group, for who wants mentions", fresh(), before, { notifications: "mentions" }],
] as const)("%s is no news", (_, conversation, known, chosen) => {
  expect(worthTelling(conversation, known, "ada", chosen)).toBe(false);
});

test("a mention is news for who wants mentions, and where it is muted", () => {
  expect(
    worthTelling(fresh({ mentions: 1, muted: true }), before, "ada", { notifications: "mentions" }),
  ).toBe(true);
});

test("a direct message is news for who wants mentions", () => {
  const direct = fresh({ conversation: { ...view("x").conversation, kind: "direct" } });
  expect(worthTelling(direct, before, "ada", { notifications: "mentions" })).toBe(true);
});
