import { expect, test } from "vitest";
import { mentionsIn } from "./mentions.ts";
import { commandOf, rankOf, tokenAt } from "./suggest.ts";

const kindAt = (text: string) => {
  const token = tokenAt(text, text.length);
  return token === undefined ? undefined : `${token.kind} ${token.typed} ${token.start}`;
};

test("what is before the cursor is completed", () => {
  expect(kindAt("hi @Ad")).toBe("mention ad 3");
  expect(kindAt("@")).toBe("mention  0");
  expect(kindAt("ok :smi")).toBe("emoji smi 3");
  expect(kindAt(":s")).toBeUndefined();
  expect(kindAt("see #gen")).toBe("channel gen 4");
  expect(kindAt("/de")).toBe("command de 0");
  expect(kindAt("a /de")).toBeUndefined();
  expect(kindAt("mail a@b")).toBeUndefined();
  expect(kindAt("at 10:30")).toBeUndefined();
  expect(kindAt("`@ad")).toBeUndefined();
});

test("a text is a command if it begins as one", () => {
  expect(commandOf("/deploy 2.4 now")).toEqual({ name: "deploy", rest: "2.4 now" });
  expect(commandOf("/usr/bin")).toBeUndefined();
  expect(commandOf(" /deploy")).toBeUndefined();
});

test("names fit by how they or their words begin", () => {
  expect(rankOf("ad", "Ada Okafor")).toBe(0);
  expect(rankOf("ok", "Ada Okafor")).toBe(10);
  expect(rankOf("da", "Ada Okafor")).toBeUndefined();
});

test("those are mentioned who can be, and not in code", () => {
  const can = { users: new Set(["ada", "bob.m"]), groups: new Set(["oncall"]), everyone: true };
  expect(mentionsIn("@ada, @bob.m. @nobody", can)).toEqual({ users: ["ada", "bob.m"] });
  expect(mentionsIn("@oncall `@ada` @here", can)).toEqual({ groups: ["oncall"], everyone: "here" });
  expect(mentionsIn("a@ada", can)).toBeUndefined();
  expect(mentionsIn("@everyone", { ...can, everyone: false })).toBeUndefined();
});
