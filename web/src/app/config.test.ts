import { expect, test } from "vitest";
import { readConfig } from "./config.ts";
import { gistOfEntry } from "./outbox.ts";
import { readToken } from "./tokens.ts";

test("the page's configuration is read", () => {
  const json = '{"title":"Acme","version":"1.2","text_length":500,"dev":true,"token_url":"/token"}';
  expect(readConfig(json)).toEqual({
    title: "Acme",
    version: "1.2",
    dev: true,
    tokenUrl: "/token",
    textLength: 500,
  });
});

test.each([null, "", "{", "null", "[]", '{"title":1,"dev":"yes","token_url":""}'])(
  "without one, it is as in production: %s",
  (json) => {
    expect(readConfig(json)).toEqual({ title: "Hubbub", dev: false, textLength: 10_000 });
  },
);

test.each([null, "", "{", "1", "{}"])("a session that is none is none: %s", (json) => {
  expect(readToken(json)).toBeUndefined();
});

test("an entry of the outbox says where it goes and what it says", () => {
  const parts = [{ type: "text", text: "hi" }];
  expect(gistOfEntry({ params: { conversation: "a", parts } })).toEqual({ conversation: "a", parts });
  expect(gistOfEntry({ params: null })).toEqual({ conversation: undefined, parts: [] });
});
