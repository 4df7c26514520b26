// Signing in, the list of conversations, and what is done with them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, Server, Window } from "./harness.js";

let server, browser, design, direct;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
  for (const [id, name] of [
    ["ada", "Ada Lovelace"],
    ["bob", "Bob Marsh"],
    ["cyd", "Cyd Charisse"],
  ]) {
    await server.user(id, name);
  }
  design = await server.conversation("bob", "group", "Design", ["ada", "cyd"], { topic: "How it looks" });
  await server.conversation("bob", "topic", "general", ["ada"]);
  await server.conversation("bob", "topic", "music", [], { topic: "Songs" });
  await server.conversation("cyd", "group", "Book club", ["ada"], { invite: true });
  direct = await server.direct("bob", "ada");
  await server.say("bob", direct, "Lunch at **one**?");
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const open = (t, user, options) =>
  Window.of(browser, server, user, options).then((window) => {
    t.after(() => window.close());
    return window;
  });

test("one says who one is, and two tabs are two people", async (t) => {
  const window = await Window.open(browser, server, "");
  t.after(() => window.close());
  await window.page.getByRole("textbox", { name: "Somebody else" }).fill("cyd");
  await window.page.getByRole("button", { name: "Enter", exact: true }).click();
  await window.row("Design").waitFor();
  await window.page.getByText("Cyd Charisse").waitFor();
  await window.page.reload();
  await window.row("Design").waitFor(); // the tab remembers

  const other = await window.context.newPage();
  await other.goto(server.url);
  await other.getByText("Who do you want to be?").waitFor();

  await window.page.getByRole("button", { name: /Cyd Charisse/ }).click();
  await window.page.getByRole("menuitem", { name: "Sign out" }).click();
  await window.page.getByText("Who do you want to be?").waitFor();
  window.assertClean();
});

test("a token in the address signs in, and does not stay there", async (t) => {
  const response = await fetch(new URL("dev/token", server.url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user: "bob" }),
  });
  const { token } = await response.json();
  const window = await Window.open(browser, server, `#token=${token}`);
  t.after(() => window.close());
  await window.row("Design").waitFor();
  assert.equal(new URL(window.page.url()).hash, "#/");

  const wrong = await Window.open(browser, server, "#token=nonsense");
  t.after(() => wrong.close());
  await wrong.page.getByRole("alert").filter({ hasText: /token/i }).waitFor();
});

test("conversations are in sections, with what is unread and what was said last", async (t) => {
  const window = await open(t, "ada");
  const row = window.row("Bob Marsh");
  await row.filter({ hasText: "Lunch at one?" }).waitFor();
  await row.getByText("1 unread message").waitFor();
  await window.becomes(
    () => window.page.locator("#conversations button").allInnerTexts(),
    ["Invitations\n1", "Direct messages\n1", "Groups\n1", "Topics\n1"],
  );
  await window.page.getByRole("button", { name: /^Groups/ }).click();
  await window.row("Design").waitFor({ state: "detached" });
  await window.page.getByRole("searchbox", { name: "Filter conversations" }).fill("des");
  await window.row("Design").waitFor(); // a filter looks into folded sections, too
  await window.page.getByRole("searchbox", { name: "Filter conversations" }).press("Escape");
  await window.page.getByRole("button", { name: /^Groups/ }).click();
  window.assertClean();
});

test("what happens is seen at once: messages, mentions, typing, presence, the title", async (t) => {
  const ada = await open(t, "ada");
  await ada.row("Design").waitFor();
  await server.say("cyd", design, "Look, @ada", { mentions: { users: ["ada"] } });
  await ada.row("Design").filter({ hasText: "Cyd Charisse: Look, @ada" }).waitFor();
  await ada.row("Design").getByText("1 mention").waitFor();
  await ada.becomes(() => ada.page.title().then((title) => /^\(\d+\) Hubbub$/.test(title)), true);

  const bob = await open(t, "bob", { at: `#/c/${direct}` });
  await ada.row("Bob Marsh").getByText("online").waitFor();
  await server.call("POST", `/conversations/${design}/typing`, {}, "cyd");
  await ada.row("Design").filter({ hasText: "Cyd Charisse is typing…" }).waitFor();
  await bob.close();
  await ada.row("Bob Marsh").getByText("online").waitFor({ state: "detached" });
  ada.assertClean();
});

test("a conversation is muted, archived, taken out again and marked as read, from its menu", async (t) => {
  const window = await open(t, "ada");
  const choose = async (item) => {
    await window.row("general").click({ button: "right" });
    await window.page.getByRole("menuitem", { name: item, exact: true }).click();
  };
  await window.row("general").waitFor();
  await choose("Mute for an hour");
  await window.row("general").getByText("muted").waitFor();
  await choose("Unmute");
  await window.row("general").getByText("muted").waitFor({ state: "detached" });
  await choose("Archive");
  await window.row("general").waitFor({ state: "detached" });
  await window.page.getByRole("button", { name: "Undo" }).click();
  await window.row("general").waitFor();

  await server.say("bob", direct, "Are you there?");
  const row = window.row("Bob Marsh");
  await row.getByText(/unread message/).waitFor();
  await row.click({ button: "right" });
  await window.page.getByRole("menuitem", { name: "Mark as read" }).click();
  await row.getByText(/unread message/).waitFor({ state: "detached" });
  window.assertClean();
});

test("an invitation is accepted, a topic found and joined, a group left", async (t) => {
  const window = await open(t, "ada");
  await window.row("Book club").filter({ hasText: "Cyd Charisse invites you" }).click();
  await window.page.getByRole("button", { name: "Accept" }).first().click();
  await window.page.getByRole("button", { name: "More" }).waitFor();

  await window.page.getByRole("link", { name: "Find topics" }).click();
  const topic = window.page.getByRole("listitem").filter({ hasText: "Songs" });
  await topic.getByRole("button", { name: "Join" }).click();
  await window.row("music").waitFor();

  await window.row("Book club").click();
  await window.page.getByRole("button", { name: "More" }).click();
  await window.page.getByRole("menuitem", { name: "Leave" }).click();
  await window.page.getByRole("button", { name: "Leave", exact: true }).click();
  await window.row("Book club").waitFor({ state: "detached" });
  assert.equal(new URL(window.page.url()).hash, "#/");
  window.assertClean();
});

test("one writes to somebody, and makes a group with people who are found by their names", async (t) => {
  const window = await open(t, "ada");
  await window.page.getByRole("button", { name: "New message", exact: true }).first().click();
  await window.page.getByRole("combobox", { name: "Find people" }).fill("char");
  await window.page.getByRole("option", { name: /Cyd Charisse/ }).click();
  await window.page.getByRole("heading", { name: "Cyd Charisse" }).waitFor();

  await window.page.getByRole("button", { name: "New conversation" }).click();
  await window.page.getByRole("button", { name: "Create" }).click();
  await window.page.getByText("Give it a name.").waitFor();
  await window.page.getByRole("textbox", { name: "Name" }).fill("Party");
  await window.page.getByRole("combobox", { name: "People" }).fill("bo");
  await window.page.getByRole("option", { name: /Bob Marsh/ }).waitFor();
  await window.page.keyboard.press("Enter");
  await window.page.getByRole("button", { name: "Remove Bob Marsh" }).waitFor();
  await window.page.getByRole("button", { name: "Create" }).click();
  await window.page.getByRole("heading", { name: "Party" }).waitFor();
  await window.page.getByText("2 members").first().waitFor();
  window.assertClean();
});
