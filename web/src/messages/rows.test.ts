import type { MessageItem } from "hubbub/chat";
import { expect, test } from "vitest";
import { heightOf, newBehind, rowsOf } from "./rows.ts";

const NOON = new Date(2026, 10, 20, 12).getTime() / 1000;

function item(seq: number, sender: string, created: number, more: object = {}): MessageItem {
  const message = { conversation: "c", seq, sender, created, parts: [], ...more };
  return { key: String(seq), message, status: "sent", receipts: { read: 0, delivered: 0 } };
}

const shape = (items: readonly MessageItem[], unread?: number) =>
  rowsOf(items, unread, []).map((row) =>
    [row.day !== undefined && "day", row.fresh && "fresh", row.head && "head"].filter(Boolean).join(" "),
  );

test("who goes on writing is named once", () => {
  const items = [item(1, "ada", NOON), item(2, "ada", NOON + 60), item(3, "bob", NOON + 70)];
  expect(shape(items)).toEqual(["day head", "", "head"]);
});

test("a pause, a reply, a day and what is new begin a group", () => {
  const items = [
    item(1, "ada", NOON),
    item(2, "ada", NOON + 301),
    item(3, "ada", NOON + 310, { reply_to: 1 }),
    item(4, "ada", NOON + 320),
    item(5, "ada", NOON + 86_400),
    item(6, "ada", NOON + 86_410),
  ];
  expect(shape(items, 6)).toEqual(["day head", "head", "head", "", "day head", "fresh head"]);
});

test("rows that did not change are the same objects", () => {
  const items = [item(1, "ada", NOON), item(2, "ada", NOON + 1)];
  const before = rowsOf(items, undefined, []);
  expect(rowsOf([...items], undefined, before)).toBe(before);
  const more = rowsOf([...items, item(3, "bob", NOON + 2)], undefined, before);
  expect(more.slice(0, 2)).toEqual(before);
  expect(more[0]).toBe(before[0]);
  const older = rowsOf([item(0.5, "ada", NOON - 1), ...items], undefined, before);
  expect(older[1]).not.toBe(before[0]); // it has lost its day and its head
  expect(older[2]).toBe(before[1]);
});

test("what is new is the others', behind what one has seen", () => {
  const items = [item(1, "bob", NOON), item(2, "ada", NOON), item(3, "bob", NOON), item(0, "ada", NOON)];
  expect(newBehind(items, 1, "ada")).toBe(1);
  expect(newBehind(items, 3, "ada")).toBe(0);
  expect(newBehind(items, 0, "ada")).toBe(2);
});

test("a row is taken to be as high as what it says", () => {
  const said = (text: string, more: object = {}) =>
    heightOf(
      rowsOf(
        [item(1, "ada", NOON), item(2, "ada", NOON + 1, { parts: [{ type: "text", text }], ...more })],
        undefined,
        [],
      )[1],
    );
  expect(said("One line")).toBeLessThan(said("Two\nlines"));
  expect(said("Two\nlines")).toBeLessThan(said("Many words ".repeat(30)));
  expect(said("One line")).toBeLessThan(said("One line", { replies: 2 }));
  expect(said("Many words ".repeat(30), { deleted: NOON })).toBeLessThan(said("One line"));
});
