import { expect, test } from "vitest";
import { DEFAULTS, read } from "./choices.ts";

test.each([
  null,
  "",
  "{",
  "null",
  "3",
  "[]",
  '{"theme":3,"sound":"no","widths":null,"folded":{},"language":7}',
])("what is not ours is as if it were not there: %s", (stored) => {
  expect(read(stored)).toEqual(DEFAULTS);
});

test("what was chosen is kept, and what is new has its usual value", () => {
  const stored = JSON.stringify({ theme: "dark", language: "de", widths: { sidebar: 320 }, gone: 1 });
  expect(read(stored)).toEqual({ ...DEFAULTS, theme: "dark", language: "de", widths: { sidebar: 320 } });
});
