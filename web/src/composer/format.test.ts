import { expect, test } from "vitest";
import { code, link, newLine, prefix, type Written, wrap } from "./format.ts";

/** `[` and `]` are where the selection is, `|` where there is none. */
function at(marked: string): Written {
  if (marked.includes("|")) {
    const start = marked.indexOf("|");
    return { text: marked.replace("|", ""), start, end: start };
  }
  const start = marked.indexOf("«");
  return { text: marked.replace(/[«»]/g, ""), start, end: marked.indexOf("»") - 1 };
}
function shown({ text, start, end }: Written): string {
  if (start === end) return `${text.slice(0, start)}|${text.slice(start)}`;
  return `${text.slice(0, start)}«${text.slice(start, end)}»${text.slice(end)}`;
}

test("marks are put around what is selected, and taken away again", () => {
  expect(shown(wrap(at("a «b» c"), "**"))).toBe("a **«b»** c");
  expect(shown(wrap(at("a **«b»** c"), "**"))).toBe("a «b» c");
  expect(shown(wrap(at("a «**b**» c"), "**"))).toBe("a «b» c");
  expect(shown(wrap(at("a |"), "_"))).toBe("a _|_");
});

test("several lines of code are fenced", () => {
  expect(shown(code(at("x «y» z")))).toBe("x `«y»` z");
  expect(shown(code(at("x «y\nz»")))).toBe("x \n```\n«y\nz»\n```");
});

test("a link waits for its other half", () => {
  expect(shown(link(at("see «this» now")))).toBe("see [this](«https://») now");
  expect(shown(link(at("«https://a.example»")))).toBe("[|](https://a.example)");
});

test("lines become a list and lines again", () => {
  expect(shown(prefix(at("«a\nb»"), "- "))).toBe("«- a\n- b»");
  expect(shown(prefix(at("«- a\n- b»"), "- "))).toBe("«a\nb»");
  expect(shown(prefix(at("«a\nb»"), "1. "))).toBe("«1. a\n2. b»");
  expect(shown(prefix(at("ab|c"), "> "))).toBe("> ab|c");
});

test("a list goes on with a new line, and ends after an empty item", () => {
  expect(shown(newLine(at("- a|")))).toBe("- a\n- |");
  expect(shown(newLine(at("2. a|")))).toBe("2. a\n3. |");
  expect(shown(newLine(at("- a\n- |")))).toBe("- a\n|");
  expect(shown(newLine(at("plain|")))).toBe("plain\n|");
});
