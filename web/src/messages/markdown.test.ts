import { expect, test } from "vitest";
import { onlyEmoji, piecesOf, safeHref, within } from "./markdown.ts";

test("mentions, emoji and links are found in text", () => {
  expect(piecesOf("hi @ada.l, :party-parrot: see https://a.example/b_(c). Bye", true)).toEqual([
    { type: "text", text: "hi " },
    { type: "mention", id: "ada.l" },
    { type: "text", text: ", " },
    { type: "emoji", name: "party-parrot" },
    { type: "text", text: " see " },
    { type: "link", href: "https://a.example/b_(c)" },
    { type: "text", text: ". Bye" },
  ]);
});

test("addresses and times are no mentions and no emoji", () => {
  expect(piecesOf("a@b.example at 10:30:15", true)).toEqual([
    { type: "text", text: "a@b.example at 10:30:15" },
  ]);
});

test("only what does no harm is a link", () => {
  expect(safeHref("https://a.example")).toBe("https://a.example");
  expect(safeHref("mailto:a@b.example")).toBe("mailto:a@b.example");
  expect(safeHref("#/c/general")).toBe("#/c/general");
  for (const bad of ["javascript:alert(1)", "data:text/html,x", "//a.example", "vbscript:x", "JAVASCRIPT:x"])
    expect(safeHref(bad)).toBeUndefined();
});

test("links to this app stay in it", () => {
  expect(within("https://chat.example/app/#/c/x/m/3", "https://chat.example/app/?as=ada#/")).toBe(
    "#/c/x/m/3",
  );
  expect(within("https://other.example/app/#/c/x", "https://chat.example/app/")).toBeUndefined();
  expect(within("#/c/x", "https://chat.example/")).toBe("#/c/x");
});

test("a few emoji alone are large", () => {
  expect(onlyEmoji("🎉")).toBe(true);
  expect(onlyEmoji("👩‍💻 👍🏽")).toBe(true);
  expect(onlyEmoji("ok 👍")).toBe(false);
  expect(onlyEmoji("12")).toBe(false);
  expect(onlyEmoji("")).toBe(false);
});
