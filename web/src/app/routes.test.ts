import { describe, expect, test } from "vitest";
import { href, parse, type Route } from "./routes.ts";

const ROUTES: readonly [string, Route][] = [
  ["#/", { view: "home" }],
  ["#/c/6ac8", { view: "conversation", conversation: "6ac8" }],
  ["#/c/a%2Fb%3F%23", { view: "conversation", conversation: "a/b?#" }],
  ["#/c/6ac8/m/12", { view: "conversation", conversation: "6ac8", message: 12 }],
  ["#/c/6ac8/t/7", { view: "conversation", conversation: "6ac8", pane: { kind: "thread", root: 7 } }],
  [
    "#/c/6ac8/t/7/m/9",
    { view: "conversation", conversation: "6ac8", pane: { kind: "thread", root: 7, message: 9 } },
  ],
  [
    "#/c/6ac8/u/ada%40x",
    { view: "conversation", conversation: "6ac8", pane: { kind: "user", user: "ada@x" } },
  ],
  ["#/c/6ac8/details", { view: "conversation", conversation: "6ac8", pane: { kind: "details" } }],
  ["#/search", { view: "search", query: "" }],
  ["#/search?q=a+b%26c", { view: "search", query: "a b&c" }],
  ["#/threads", { view: "threads" }],
  ["#/discover", { view: "discover" }],
  ["#/moderation", { view: "moderation", rest: "" }],
  ["#/moderation/cases/3", { view: "moderation", rest: "cases/3" }],
  ["#/settings/privacy", { view: "settings", section: "privacy" }],
  ["#/developer", { view: "developer", rest: "" }],
];

describe("routes", () => {
  test.each(ROUTES)("%s is read and written", (hash, route) => {
    expect(parse(hash)).toEqual(route);
    expect(href(route)).toBe(hash);
  });

  test.each([
    ["", { view: "home" }],
    ["#nothing/there", { view: "home" }],
    ["#/c/", { view: "home" }],
    ["#/c/x/m/abc", { view: "conversation", conversation: "x" }],
    ["#/c/x/t/-1", { view: "conversation", conversation: "x" }],
    ["#/c/100%", { view: "conversation", conversation: "100%" }],
  ] as const)("%s, which is not ours, is something", (hash, route) => {
    expect(parse(hash)).toEqual(route);
  });
});
