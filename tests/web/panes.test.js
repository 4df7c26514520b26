// What is beside and in place of a conversation: members, profiles, search, pins, settings, and what one has kept.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, Server, Window } from "./harness.js";

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
let server, browser, design, root;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
  for (const [id, name] of [
    ["ada", "Ada Lovelace"],
    ["bob", "Bob Marsh"],
    ["cyd", "Cyd Charisse"],
    ["dan", "Dan Brown"],
  ]) {
    await server.user(id, name);
  }
  design = await server.conversation("ada", "group", "Design", ["bob", "cyd"], { topic: "How it looks" });
  root = await server.say("bob", design, "The accent is too blue");
  await server.say("ada", design, "Less blue, then", { thread: root.seq });
  await server.say("cyd", design, "I like blue things");
  await server.call("PUT", `/conversations/${design}/pins/${root.seq}`, undefined, "ada");
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function open(t, at, { user = "ada", ...options } = {}) {
  const window = await Window.of(browser, server, user, { at, ...options });
  t.after(() => window.close());
  return window;
}
const pane = (window) => window.page.getByRole("complementary");
const hash = (window) => new URL(window.page.url()).hash;

test("members are added, given roles and removed", async (t) => {
  const window = await open(t, `#/c/${design}/members`);
  const { page } = window;
  await pane(window).getByText("Cyd Charisse").waitFor();
  await page.getByRole("button", { name: "Add people" }).click();
  await page.getByRole("combobox", { name: "People" }).fill("dan");
  await page.getByRole("option", { name: /Dan Brown/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Add people" }).click();
  const row = pane(window).getByRole("listitem").filter({ hasText: "Dan Brown" });
  await row.waitFor();
  const choose = async (item) => {
    await row.getByRole("button", { name: "Actions for Dan Brown" }).click();
    await page.getByRole("menuitem", { name: item }).click();
  };
  await choose("Make Moderator");
  await row.getByText("Moderator").waitFor();
  await choose("Remove from the conversation");
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await row.waitFor({ state: "detached" });
  window.assertClean();
});

test("a profile leads to a conversation, and its user is blocked and reported", async (t) => {
  const window = await open(t, `#/c/${design}/u/cyd`);
  const { page } = window;
  await pane(window).getByRole("heading", { name: "Cyd Charisse" }).waitFor();
  await page.getByRole("button", { name: "Report" }).click();
  await page.getByRole("combobox", { name: "Reason" }).selectOption("impersonation");
  await page.getByRole("dialog").getByRole("button", { name: "Report" }).click();
  await page.getByText("Reported. Moderators will look at it.").waitFor();
  await page.getByRole("button", { name: "Block", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Block" }).click();
  await page.getByRole("button", { name: "Block no more" }).click();
  await page.getByRole("button", { name: "Block", exact: true }).waitFor();
  await pane(window).getByRole("button", { name: "Message", exact: true }).click();
  await page.getByRole("main").getByRole("heading", { name: "Cyd Charisse" }).waitFor();
  window.assertClean();
});

test("search finds words, narrows them down, and leads to the message", async (t) => {
  const window = await open(t, "#/search?q=blue");
  const { page } = window;
  const found = page.getByRole("main").getByRole("article");
  await window.becomes(() => found.count(), 3);
  await page.getByRole("mark").or(page.locator("mark")).first().waitFor();
  const field = page.getByRole("searchbox", { name: "Search" });
  await field.fill("blue from:cyd in:Design");
  await window.becomes(() => found.count(), 1);
  await window.becomes(async () => hash(window), "#/search?q=blue+from%3Acyd+in%3ADesign");
  await window.assertAccessible("search");
  await page.getByRole("button", { name: /Cyd Charisse/ }).first().waitFor(); // the filter says who
  await field.fill("less");
  await found.getByRole("link", { name: "Less blue, then" }).click();
  await window.becomes(async () => hash(window).replace(/\/m\/.*/, ""), `#/c/${design}/t/${root.seq}`);
  await pane(window).getByRole("heading", { name: "Thread" }).waitFor();
  window.assertClean();
});

test("the pane of a search has the focus, Escape closes it, and the focus goes back", async (t) => {
  const window = await open(t, `#/c/${design}`);
  const { page } = window;
  await page.getByRole("button", { name: "Search here" }).click();
  await window.becomes(() => window.focused(), "input: ");
  await page.keyboard.press("Escape");
  await pane(window).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Pinned messages" }).click();
  await pane(window).getByText("The accent is too blue").waitFor();
  await pane(window).getByRole("button", { name: "Unpin" }).click();
  await pane(window).getByText("Nothing is pinned").waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await pane(window).getByText("The accent is too blue").waitFor();
  window.assertClean();
});

test("a conversation is renamed, slowed down and closed", async (t) => {
  const window = await open(t, `#/c/${design}/settings`);
  const { page } = window;
  const name = page.getByRole("textbox", { name: "Name" });
  await name.fill("Design two");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("main").getByRole("heading", { name: "Design two" }).waitFor();
  await page.getByRole("combobox", { name: "Slow mode" }).selectOption("30");
  await window.becomes(
    () => server.call("GET", `/conversations/${design}`, undefined, "bob").then((mine) => mine.conversation.slow_mode),
    30,
  );
  await page.getByRole("button", { name: "Close the conversation" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Close the conversation" }).click();
  await page.getByRole("button", { name: "Open it again" }).click();
  await page.getByRole("button", { name: "Close the conversation" }).waitFor();
  await name.fill("Design");
  await page.getByRole("button", { name: "Save" }).click();
  await window.row("Design").waitFor();
  window.assertClean();
});

test("scheduled messages, drafts, reminders, bookmarks and threads are on their pages", async (t) => {
  const at = Math.round(Date.now() / 1000) + 7200;
  const parts = [{ type: "text", text: "Good morning" }];
  await server.call("POST", `/conversations/${design}/scheduled`, { at, parts }, "bob");
  const window = await open(t, "#/scheduled", { user: "bob" });
  const { page } = window;
  const row = page.getByRole("main").getByRole("listitem").filter({ hasText: "Good morning" });
  await row.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Edit" }).click();
  await page.getByRole("textbox", { name: "Text" }).fill("Good evening");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Good evening").waitFor();
  await page.getByRole("button", { name: "Send now" }).click();
  await page.getByText("Nothing is scheduled").waitFor();

  await page.getByRole("link", { name: "Reminders" }).click();
  await page.getByRole("button", { name: "New reminder" }).click();
  await page.getByRole("textbox", { name: "Of what" }).fill("Buy milk");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Buy milk").waitFor();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByText("You have no reminders").waitFor();

  await server.call("PUT", `/me/bookmarks/${design}/${root.seq}`, { note: "Later" }, "bob");
  await page.getByRole("link", { name: "Bookmarks" }).click();
  const kept = page.getByRole("main").getByRole("listitem").filter({ hasText: "Later" });
  await kept.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Remove the bookmark" }).click();
  await page.getByText("You have no bookmarks").waitFor();

  await page.getByRole("link", { name: "Threads" }).click();
  await page.getByRole("main").getByText("1 reply").click();
  await pane(window).getByRole("heading", { name: "Thread" }).waitFor();
  window.assertClean();
});

test("axe finds nothing serious in panes, on a phone and right to left", async (t) => {
  const window = await open(t, "", { ...PHONE, settings: { direction: "rtl" } });
  const { page } = window;
  for (const each of ["details", "members", "settings", "search", "u/bob"]) {
    await page.evaluate((to) => {
      location.hash = to;
    }, `#/c/${design}/${each}`);
    await pane(window).getByRole("heading").first().waitFor();
    await window.assertAccessible(each);
    const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.equal(widths[0], widths[1], `nothing hangs over the edge: ${each}`);
  }
});
