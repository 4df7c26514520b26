import { expect, test } from "vitest";
import { formatCount, formatDay, formatRelative, formatSize } from "./format.ts";
import { choose, type Language, language, speak } from "./language.ts";
import { define, fill, translate } from "./texts.ts";

const days = { one: "{count} day", other: "{count} days" };

test("plural forms are those of the language", () => {
  expect(fill(days, { count: 1 }, "en")).toBe("1 day");
  expect(fill(days, { count: 0 }, "en")).toBe("0 days");
  expect(fill(days, { count: 12345 }, "en")).toBe("12,345 days");
  const arabic = { zero: "z", one: "o", two: "t", few: "f", many: "m", other: "x" };
  expect([0, 1, 2, 3, 11, 100].map((count) => fill(arabic, { count }, "ar")).join("")).toBe("zotfmx");
});

test("values are put in as they are, and what is not given stays", () => {
  expect(fill("{a} {b} {c}", { a: "{b}", b: "$&" }, "en")).toBe("{b} $& {c}");
});

test("what is not translated is in English", () => {
  expect(translate(define("nowhere", { hello: "Hello {name}" }), "hello", { name: "Ada" })).toBe("Hello Ada");
});

test("counts and sizes", () => {
  expect(formatCount(99)).toBe("99");
  expect(formatCount(100)).toBe("99+");
  expect(formatSize(999)).toBe("999 byte");
  expect(formatSize(2_400_000)).toBe("2.4 MB");
  expect(formatSize(48_200_000)).toBe("48 MB");
});

test("times are the shorter the nearer they are", () => {
  const at = (text: string) => new Date(text).getTime() / 1000;
  const now = at("2026-11-22T10:00:00");
  expect(formatRelative(at("2026-11-22T00:01:00"), now)).toMatch(/^12:01.AM$/u);
  expect(formatRelative(at("2026-11-21T23:59:00"), now)).toBe("yesterday");
  expect(formatRelative(at("2026-11-18T09:00:00"), now)).toBe("Wed");
  expect(formatRelative(at("2026-03-01T09:00:00"), now)).toBe("Mar 1");
  expect(formatRelative(at("2024-03-01T09:00:00"), now)).toBe("3/1/24");
  expect(formatDay(at("2026-11-22T00:01:00"), now)).toBe("Today");
  expect(formatDay(at("2026-11-21T00:01:00"), now)).toBe("Yesterday");
  expect(formatDay(at("2026-11-03T00:01:00"), now)).toBe("Tuesday, November 3");
  expect(formatDay(at("2025-11-03T00:01:00"), now)).toBe("Monday, November 3, 2025");
});

test("another language is spoken, in its plural forms, and English where it has no text", () => {
  const english = language();
  const texts = define("birds", { seen: { one: "{count} bird", other: "{count} birds" }, none: "No birds" });
  speak(
    { code: "pl", name: "Polski", direction: "ltr" },
    {
      birds: { seen: { one: "{count} ptak", few: "{count} ptaki", other: "{count} ptaków" } },
    },
  );
  expect([1, 3, 5].map((count) => translate(texts, "seen", { count }))).toEqual([
    "1 ptak",
    "3 ptaki",
    "5 ptaków",
  ]);
  expect(translate(texts, "none")).toBe("No birds");
  speak(english, {});
  expect(translate(texts, "seen", { count: 1 })).toBe("1 bird");
});

test("the first language of the browser that is known is chosen, whatever its region", () => {
  const known: Language[] = ["en", "ar"].map((code) => ({ code, name: code, direction: "ltr" }));
  expect(choose(["fr-CA", "ar-EG", "en"], known).code).toBe("ar");
  expect(choose(["fr"], known).code).toBe("en");
});
