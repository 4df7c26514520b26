import { describe, expect, it } from "vitest";
import { dayOf, parseQuery, writeQuery } from "./query.ts";

describe("parseQuery", () => {
  it("takes filters out of the words", () => {
    expect(parseQuery('from:@ada plan in:"Book club" b after:2026-01-31 has:file')).toEqual({
      text: "plan b",
      from: "ada",
      in: "Book club",
      after: "2026-01-31",
      has: "file",
    });
  });
  it("leaves as words what is no filter", () => {
    const written = "has:cake before:tomorrow after:2026-02-31 sayfrom:ada from: http://in:1";
    expect(parseQuery(written)).toEqual({ text: written });
  });
  it("takes the last of two", () => {
    expect(parseQuery("from:ada from:bob")).toEqual({ text: "", from: "bob" });
  });
});

describe("writeQuery", () => {
  it("is read as it was", () => {
    for (const written of [
      "",
      "plan",
      'plan from:ada in:"Book club" after:2026-01-31',
      "before:2026-02-01 has:link",
    ])
      expect(writeQuery(parseQuery(written))).toBe(written);
  });
});

describe("dayOf", () => {
  it("is midnight here", () => {
    expect(dayOf("2026-01-31")).toBe(new Date(2026, 0, 31).getTime() / 1000);
    expect(dayOf("2026-13-01")).toBeUndefined();
    expect(dayOf("soon")).toBeUndefined();
  });
});
