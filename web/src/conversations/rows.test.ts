import type { ConversationView } from "hubbub/chat";
import { expect, test } from "vitest";
import { view } from "./example.test-data.ts";
import { type Look, neighbour, type Row, rowsOf } from "./rows.ts";

const kind = (
  id: string,
  of: ConversationView["conversation"]["kind"],
  changes: Partial<ConversationView> = {},
) => view(id, { conversation: { id, kind: of, name: id }, ...changes });

const LOOK: Look = {
  filter: "",
  unreadFirst: false,
  folded: [],
  title: (each) => each.conversation.name ?? "",
};

const names = (rows: readonly Row[]) =>
  rows.map((row) => (row.kind === "heading" ? `${row.section}${row.folded ? "-" : ""}` : row.key));

const ALL = [
  kind("Zoé", "direct", { unread: 2 }),
  kind("design", "group"),
  kind("general", "topic", { unread: 1 }),
  kind("news", "broadcast"),
  kind("old", "group", { membership: { state: "joined", archived: true }, unread: 9 }),
  kind("club", "group", { membership: { state: "invited" } }),
  kind("adam", "direct"),
];

test("conversations are in sections, in the order in which they came", () => {
  expect(names(rowsOf(ALL, LOOK))).toEqual([
    "invitations",
    "club",
    "direct",
    "Zoé",
    "adam",
    "group",
    "design",
    "topic",
    "general",
    "broadcast",
    "news",
    "archived-",
  ]);
});

test("with unread first, what is unread is above all, but for what is archived", () => {
  const rows = rowsOf(ALL, { ...LOOK, unreadFirst: true });
  expect(names(rows).slice(0, 6)).toEqual(["invitations", "club", "unread", "Zoé", "general", "direct"]);
});

test("a folded section shows the open conversation only, and what is unread in it", () => {
  const rows = rowsOf(ALL, { ...LOOK, folded: ["direct", "group"], open: "adam" });
  expect(names(rows)).toContain("adam");
  expect(names(rows)).not.toContain("Zoé");
  expect(names(rows)).not.toContain("design");
  expect(rows.find((row) => row.key === "section direct")).toMatchObject({
    count: 2,
    unread: 2,
    folded: true,
  });
});

test("the archive is folded until it is opened", () => {
  expect(names(rowsOf(ALL, { ...LOOK, folded: ["archived:open"] }))).toContain("old");
});

test("a filter finds words without case and accents, in folded sections too", () => {
  expect(names(rowsOf(ALL, { ...LOOK, filter: " zoe ", folded: ["direct"] }))).toEqual(["direct", "Zoé"]);
  expect(names(rowsOf(ALL, { ...LOOK, filter: "OLD" }))).toEqual(["archived", "old"]);
  expect(rowsOf(ALL, { ...LOOK, filter: "xyz" })).toEqual([]);
});

test("one goes to the next conversation, round and round, or to the next with something unread", () => {
  const rows = rowsOf(ALL, LOOK);
  expect(neighbour(rows, "adam", 1)).toBe("design");
  expect(neighbour(rows, "design", -1)).toBe("adam");
  expect(neighbour(rows, "news", 1)).toBe("club");
  expect(neighbour(rows, "club", -1)).toBe("news");
  expect(neighbour(rows, undefined, 1)).toBe("club");
  expect(neighbour(rows, "general", 1, true)).toBe("Zoé");
  expect(neighbour(rowsOf([], LOOK), undefined, 1)).toBeUndefined();
});
