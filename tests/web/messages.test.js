// Messages as two people see them: written, answered, changed, reacted to; and what is on them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, Server, Window } from "./harness.js";

let server, browser, group, long;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
  await server.user("ada", "Ada Lovelace");
  await server.user("bob", "Bob Marsh");
  group = await server.conversation("bob", "group", "Design", ["ada"]);
  long = await server.conversation("bob", "group", "Long", ["ada"]);
  for (let each = 1; each <= 130; each++) await server.say("bob", long, `Line ${each}${" and more".repeat(each % 7)}`);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function open(t, user, at, options) {
  const opened = await Window.during(t, browser, server, user, at, options);
  const press = async (...keys) => {
    for (const key of keys) await opened.page.keyboard.press(key);
  };
  return { ...opened, press };
}

const deed = async (page, message, name) => {
  await message.click({ button: "right" });
  await page.getByRole("menuitem", { name, exact: true }).click();
};

test("two people talk: what one writes, answers, edits, reacts to and deletes the other one sees", async (t) => {
  const ada = await open(t, "ada", `#/c/${group}`);
  const bob = await open(t, "bob", `#/c/${group}`);
  await ada.field.fill("Shall we use **blue**, @bob?");
  await ada.press("Enter");
  const asked = bob.message("Shall we use blue");
  await asked.locator("strong", { hasText: "blue" }).waitFor();
  await asked.getByText("@Bob Marsh").waitFor(); // a mention, though nobody was chosen from the list
  await ada.message("Shall we use").getByRole("button", { name: /^Read by 1/ }).waitFor();

  await deed(bob.page, asked, "Reply R");
  await bob.page.getByText("Reply to Ada Lovelace").waitFor();
  await bob.field.fill("Green, pleas");
  await bob.press("Enter");
  await ada.message("Green, pleas").getByRole("button", { name: "In reply to Ada Lovelace: Shall we use blue, @bob?" }).waitFor();

  await bob.press("ArrowUp");
  await bob.page.getByRole("textbox", { name: "Edit message" }).fill("Green, please");
  await bob.press("Enter");
  await ada.message("Green, please").getByRole("button", { name: /^Edited/ }).click();
  await ada.page.getByRole("dialog").getByText("Green, pleas", { exact: true }).waitFor();
  await ada.press("Escape");

  await ada.message("Green, please").hover();
  await ada.page.getByRole("button", { name: "React with 👍" }).click();
  await bob.message("Green, please").getByRole("button", { name: "Ada Lovelace with 👍" }).click();
  await ada.message("Green, please").getByRole("button", { name: /You and Bob Marsh with 👍|Bob Marsh and You with 👍/ }).waitFor();

  await deed(bob.page, bob.message("Green, please"), "Delete… Delete");
  await bob.page.getByRole("button", { name: "Delete for everybody" }).click();
  await ada.page.getByText("This message was deleted").waitFor();
  ada.window.assertClean();
  bob.window.assertClean();
});

test("a thread is answered beside the conversation", async (t) => {
  const ada = await open(t, "ada", `#/c/${group}`);
  const bob = await open(t, "bob", `#/c/${group}`);
  await bob.field.fill("Who brings cake?");
  await bob.press("Enter");
  await ada.message("Who brings cake?").hover();
  await ada.page.getByRole("button", { name: "Reply in a thread" }).click();
  const pane = ada.page.getByRole("complementary");
  await pane.getByRole("textbox", { name: "Reply in the thread" }).fill("I do");
  await ada.press("Enter");
  await pane.getByRole("article").filter({ hasText: "I do" }).waitFor();
  await bob.message("Who brings cake?").getByRole("link", { name: /1 reply/ }).waitFor();
  assert.equal(await bob.message("I do").count(), 0);
  ada.window.assertClean();
});

test("a long conversation is read both ways, and a link leads to one of its messages", async (t) => {
  const { seq } = (await server.call("GET", `/conversations/${long}/messages?limit=1`, undefined, "bob")).messages[0];
  const ada = await open(t, "ada", `#/c/${long}/m/${seq - 100}`);
  await ada.message(/Line 30\b/).waitFor();
  assert.equal(await ada.message(/Line 130\b/).count(), 0);
  const box = await ada.message(/Line 30\b/).boundingBox();
  assert.ok(box.y > 60 && box.y < 700, "it is in sight");
  const log = ada.page.getByRole("log", { name: /Messages in/ });
  await log.hover();
  await ada.window.becomes(async () => {
    await ada.page.mouse.wheel(0, -1500);
    return (await ada.message(/Line 1\b/).count()) > 0;
  }, true);
  await ada.page.getByRole("button", { name: /new message|newest/ }).click();
  await ada.message(/Line 130\b/).waitFor();
  const atEnd = () => log.evaluate((each) => each.scrollHeight - each.scrollTop - each.clientHeight < 3);
  await ada.window.becomes(atEnd, true);

  // What comes is followed by who is at the end, and counted for who is not.
  await server.say("bob", long, "Line 131");
  await ada.message("Line 131").waitFor();
  await ada.window.becomes(atEnd, true);
  await ada.page.mouse.wheel(0, -1200);
  await ada.page.getByRole("button", { name: "To the newest messages" }).waitFor();
  const still = await ada.page.getByRole("article").nth(8).evaluate((each) => [each.dataset.seq, Math.round(each.getBoundingClientRect().top)]);
  await server.say("bob", long, "Line 132");
  await ada.page.getByRole("button", { name: "1 new message" }).waitFor();
  const then = await ada.page.locator(`[data-seq="${still[0]}"]`).evaluate((each) => Math.round(each.getBoundingClientRect().top));
  assert.equal(then, still[1], "nothing moves under one's eyes");
  ada.window.assertClean();
});

test("who is at the end stays there when there is less room for messages", async (t) => {
  const { seq } = (await server.call("GET", `/conversations/${long}/messages?limit=1`, undefined, "bob")).messages[0];
  await server.call("POST", "/receipts", { marks: [{ conversation: long, read: seq }] }, "ada"); // it opens at its end
  const ada = await open(t, "ada", `#/c/${long}`);
  const last = ada.message("Line 130");
  await last.waitFor();
  const below = () => ada.page.getByRole("main").getByRole("log").evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight < 2);
  await ada.window.becomes(below, true);
  await ada.field.fill("One\n".repeat(12));
  await ada.window.becomes(below, true);
  await ada.page.setViewportSize({ width: 1280, height: 500 }); // a phone's keyboard does that
  await ada.window.becomes(below, true);
  await ada.field.fill("");
  ada.window.assertClean();
});

test("polls, checklists and cards do what they say", async (t) => {
  const poll = { type: "poll", question: "When?", options: [{ text: "Monday" }, { text: "Friday" }] };
  const checklist = { type: "checklist", title: "To do", anyone: true, items: [{ text: "Cake" }] };
  const card = {
    type: "card",
    title: "Ship it?",
    actions: [{ type: "button", id: "yes", label: "Ship", confirm: { text: "To everybody?" } }],
  };
  for (const part of [poll, checklist, card]) {
    await server.call("POST", `/conversations/${group}/messages`, { parts: [part] }, "bob");
  }
  const ada = await open(t, "ada", `#/c/${group}`);
  await ada.page.getByRole("button", { name: "Friday, 0 votes" }).click();
  await ada.page.getByRole("button", { name: "Friday, 1 vote" }).waitFor();
  await ada.page.getByRole("checkbox", { name: "Cake" }).click();
  await ada.page.getByText("1 of 1 done").waitFor();
  await ada.page.getByRole("button", { name: "Ship", exact: true }).click();
  await ada.page.getByRole("dialog").getByRole("button", { name: "Ship" }).click();
  await ada.page.getByText("Sent to Bob Marsh").waitFor();
  ada.window.assertClean();
});

test("everything by keyboard: from message to message, and what can be done there", async (t) => {
  const ada = await open(t, "ada", `#/c/${group}`);
  await ada.field.fill("Keys only");
  await ada.press("Enter");
  await ada.page.locator("article[data-seq]").filter({ hasText: "Keys only" }).waitFor(); // the server has it
  await ada.page.evaluate(() => document.querySelector("[role=log] [data-row][tabindex='0']").focus());
  await ada.press("End");
  await ada.window.becomes(() => ada.page.evaluate(() => document.activeElement.textContent.includes("Keys only")), true);
  await ada.press("ArrowUp");
  await ada.window.becomes(() => ada.page.evaluate(() => document.activeElement.textContent.includes("Ship it?")), true);
  await ada.press("ArrowDown", "e");
  await ada.page.getByRole("textbox", { name: "Edit message" }).fill("Keys alone");
  await ada.press("Enter");
  await ada.message("Keys alone").waitFor();
  await ada.press("Enter");
  await ada.page.getByRole("menu").waitFor();
  await ada.press("Escape", "a");
  await ada.page.getByRole("textbox", { name: "Search emoji" }).fill("rocket");
  await ada.press("Enter");
  await ada.message("Keys alone").getByRole("button", { name: "You with 🚀" }).waitFor();
  await ada.press("Escape");
  await ada.window.becomes(() => ada.page.evaluate(() => document.activeElement.localName), "textarea");
  ada.window.assertClean();
});
