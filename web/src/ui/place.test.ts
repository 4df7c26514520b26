import { expect, test } from "vitest";
import { hue, initials } from "./initials.ts";
import { place } from "./place.ts";

const SIZE = { width: 200, height: 100 };
const WINDOW = { width: 1000, height: 600 };
const box = (left: number, top: number) => ({ left, top, right: left + 40, bottom: top + 30 });

test.each([
  ["below-start", box(100, 100), false, { left: 100, top: 136 }],
  ["below-end", box(500, 100), false, { left: 340, top: 136 }],
  ["below-start", box(500, 100), true, { left: 340, top: 136 }],
  ["above", box(500, 300), false, { left: 420, top: 194 }],
  ["below-start", box(100, 560), false, { left: 100, top: 454 }],
  ["above-start", box(100, 20), false, { left: 100, top: 56 }],
  ["below-start", box(980, 100), false, { left: 792, top: 136 }],
  ["below-end", box(0, 100), false, { left: 8, top: 136 }],
  ["end", box(100, 100), false, { left: 146, top: 100 }],
  ["end", box(900, 100), false, { left: 694, top: 100 }],
  ["end", box(500, 100), true, { left: 294, top: 100 }],
] as const)("%s of %o (rtl: %s)", (placement, anchor, rtl, where) => {
  expect(place(anchor, SIZE, WINDOW, placement, rtl)).toEqual(where);
});

test("initials are whole characters of the first and the last word", () => {
  expect(initials("Ada Lovelace")).toBe("AL");
  expect(initials("ada")).toBe("A");
  expect(initials("Jean-Luc van der Berg")).toBe("JB");
  expect(initials("👩‍👩‍👧 x")).toBe("👩‍👩‍👧X");
  expect(initials("  ")).toBe("");
});

test("an id has always the same colour, of eight", () => {
  const hues = Array.from({ length: 200 }, (_, at) => hue(`user-${at}`));
  expect(new Set(hues).size).toBe(8);
  expect(hue("ada")).toBe(hue("ada"));
});
