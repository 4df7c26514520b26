import { expect, test } from "vitest";
import { best, score } from "./fuzzy.ts";

const self = (text: string) => text;

test("what begins with the text comes before what has it, and that before what has its letters", () => {
  expect(best(["Abandoned", "Sales and design", "Design"], "d", self, 9)).toEqual([
    "Design",
    "Sales and design",
    "Abandoned",
  ]);
  expect(best(["general", "Release engineering", "random"], "re", self, 9)[0]).toBe("Release engineering");
});

test("letters must come in order", () => {
  expect(score("Book club", "bcl")).toBeGreaterThan(0);
  expect(score("Book club", "lcb")).toBe(0);
});

test("case and accents do not matter", () => {
  expect(score("Émile Zátopek", "zato")).toBeGreaterThan(0);
  expect(score("emil", "ÉM")).toBeGreaterThan(0);
});

test("nothing typed fits everything, in its order", () => {
  expect(best(["b", "a", "c"], "", self, 2)).toEqual(["b", "a"]);
});
