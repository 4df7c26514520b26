import { expect, test } from "vitest";
import { labels, matches } from "./keys.ts";

const press = (key: string, held: string[] = []) => ({
  key,
  ctrlKey: held.includes("ctrl"),
  metaKey: held.includes("meta"),
  altKey: held.includes("alt"),
  shiftKey: held.includes("shift"),
});

test.each([
  ["Mod+K", press("k", ["ctrl"]), false, true],
  ["Mod+K", press("k", ["meta"]), false, false],
  ["Mod+K", press("k", ["meta"]), true, true],
  ["Mod+K", press("k"), false, false],
  ["Mod+Shift+P", press("P", ["ctrl", "shift"]), false, true],
  ["Mod+K", press("K", ["ctrl", "shift"]), false, false],
  ["?", press("?", ["shift"]), false, true],
  ["?", press("?"), false, true],
  ["?", press("?", ["alt"]), false, false],
  ["c", press("c"), false, true],
  ["c", press("C", ["shift"]), false, false],
  ["Alt+ArrowDown", press("ArrowDown", ["alt"]), false, true],
  ["Mod+.", press(".", ["ctrl"]), false, true],
] as const)("%s is pressed by %o (Mac: %s): %s", (keys, event, mac, answer) => {
  expect(matches(keys, event, mac)).toBe(answer);
});

test("keys are shown as they are on the keyboard", () => {
  expect(labels("Mod+Shift+K", false)).toEqual(["Ctrl", "Shift", "K"]);
  expect(labels("Mod+Shift+K", true)).toEqual(["⌘", "⇧", "K"]);
  expect(labels("g t", false)).toEqual(["G", "T"]);
  expect(labels("Alt+ArrowUp", false)).toEqual(["Alt", "↑"]);
});
