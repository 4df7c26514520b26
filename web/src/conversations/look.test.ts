import type { Message, Part } from "hubbub/chat";
import { expect, test } from "vitest";
import { view } from "./example.test-data.ts";
import { gist, titleOf, typingText, withoutMarks } from "./look.ts";

test.each([
  ["**Bold** and _thin_ and `code`", "Bold and thin and code"],
  ["# Title\n\n* one\n* two", "Title one two"],
  ["> said\nsee [this](https://x.y) ![pic](z)", "said see this pic"],
  ["```js\nlet a_b_c = 1;\n```", "let a_b_c = 1;"],
  ["snake_case_name and 2*3*4", "snake_case_name and 2*3*4"],
  ["~~no~~ yes", "no yes"],
])("%s in one line", (text, line) => {
  expect(withoutMarks(text)).toBe(line);
});

const message = (parts: readonly Part[], more: Partial<Message> = {}) =>
  ({ conversation: "x", seq: 1, sender: "ada", created: 1, parts, ...more }) as Message;

test.each([
  [[{ type: "text", text: "a\n b" }], "a b"],
  [[{ type: "poll", question: "Tea?", options: [] }], "Poll: Tea?"],
  [[{ type: "file", file: "1", media_type: "image/png", name: "a.png" }], "Picture"],
  [[{ type: "file", file: "1", caption: "Us" }], "Us"],
  [[{ type: "file", file: "1", name: "a.pdf" }], "File: a.pdf"],
  [[{ type: "of-an-application" }], ""],
] as unknown as readonly (readonly [readonly Part[], string])[])("%j says %s", (parts, line) => {
  expect(gist(message(parts))).toBe(line);
});

test("a deleted message says so, and one of the system, too", () => {
  expect(gist(message([], { deleted: 3 }))).toBe("Message deleted");
  expect(gist(message([], { kind: "system" }))).toBe("The conversation has changed");
});

test("a direct conversation is called as the other one", () => {
  const direct = (peer?: { id: string; name?: string }) =>
    view("x", { conversation: { id: "x", kind: "direct" }, ...(peer === undefined ? {} : { peer }) });
  expect(titleOf(direct({ id: "bob", name: "Bob" }), "ada")).toBe("Bob");
  expect(titleOf(direct({ id: "bob" }), "ada")).toBe("bob");
  expect(titleOf(direct({ id: "ada", name: "Ada" }), "ada")).toBe("Notes to yourself");
  expect(titleOf(view("x", { conversation: { id: "x", kind: "group" } }), "ada")).toBe(
    "Unnamed conversation",
  );
});

test("who types", () => {
  const names = (user: string) => ({ ada: "Ada", bob: "Bob" })[user];
  expect(typingText(["ada"], names)).toBe("Ada is typing…");
  expect(typingText(["ada", "zed"], names)).toBe("Ada and zed are typing…");
  expect(typingText(["ada", "bob", "zed"], names)).toBe("Several people are typing…");
});
