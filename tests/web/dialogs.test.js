// What is asked for where one writes: commands, times, lists, places; files that are dropped; drafts of two devices.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, Server, Window } from "./harness.js";

let server, browser, group, slow;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
  await server.user("ada", "Ada Lovelace");
  await server.user("bob", "Bob Marsh");
  await server.user("robot", "Robot");
  group = await server.conversation("bob", "group", "Design", ["ada", "robot"]);
  slow = await server.conversation("bob", "group", "Slow", ["ada"]);
  await server.call("PATCH", `/conversations/${slow}`, { slow_mode: 600 }, "bob");
  const when = { name: "when", required: true, choices: ["today", "tomorrow"], description: "The day" };
  const command = { owner: "robot", description: "Remind me of something", arguments: [when, { name: "what" }] };
  await server.call("PUT", "/commands/remind", command);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function open(t, user, options) {
  const opened = await Window.during(t, browser, server, user, `#/c/${group}`, options);
  const { page, field } = opened;
  await field.waitFor();
  const add = async (name) => {
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByRole("menuitem", { name }).click();
    return page.getByRole("dialog");
  };
  return { ...opened, add };
}

/** What the program hears since `from`, a sync's answer. */
const heard = ({ token, inbox }) => server.call("POST", "/sync", { token, inbox }, "robot");

test("a command asks for what it needs, and its answer is seen by who has given it alone", async (t) => {
  const start = await heard({});
  const ada = await open(t, "ada");
  const bob = await open(t, "bob");
  await ada.field.fill("/remind");
  await ada.page.keyboard.press("Escape"); // no suggestion, please
  await ada.page.keyboard.press("Enter");
  const dialog = ada.page.getByRole("dialog", { name: "/remind" });
  await dialog.getByText("Remind me of something").waitFor();
  await dialog.getByRole("button", { name: "Run" }).click();
  await dialog.getByText("This is needed.").waitFor();
  await dialog.getByRole("combobox", { name: "when" }).selectOption("tomorrow");
  await dialog.getByRole("textbox", { name: "what" }).fill("the release");
  await ada.window.assertAccessible("what a command asks for");
  await dialog.getByRole("button", { name: "Run" }).click();
  await ada.page.getByText("/remind was given").waitFor();
  await dialog.waitFor({ state: "detached" });
  assert.equal(await ada.field.inputValue(), "");

  const given = (await heard(start)).inbox_events.find(({ type }) => type === "command.invoked");
  assert.deepEqual(given.arguments, { when: "tomorrow", what: "the release" });
  const answer = { parts: [{ type: "text", text: "You will be." }] };
  await server.call("POST", `/invocations/${given.invocation}/answers`, answer, "robot");
  const answers = ada.page.getByRole("log", { name: "Only you can see this" });
  await answers.getByText("You will be.").waitFor();
  assert.equal(await bob.page.getByText("You will be.").count(), 0);
  await answers.getByRole("button", { name: "Dismiss" }).click();
  await answers.waitFor({ state: "detached" });
  for (const each of [ada, bob]) each.window.assertClean();
});

test("what is written is sent later: at a time that is to come", async (t) => {
  const { window, page, field, add } = await open(t, "ada");
  await field.fill("Not yet");
  const dialog = await add("Send later…");
  await dialog.getByText("At another time").click();
  await dialog.getByLabel("At another time").last().fill("2020-01-01T10:00");
  await dialog.getByRole("button", { name: "Schedule" }).click();
  await dialog.getByText("That is in the past.").waitFor();
  await dialog.getByText("Tomorrow morning").click();
  await dialog.getByRole("button", { name: "Schedule" }).click();
  await page.getByText(/It will be sent/).waitFor();
  await window.becomes(() => field.inputValue(), "");
  await page.getByRole("link", { name: "Scheduled" }).click();
  await page.getByRole("main").getByText("Not yet").waitFor();
  window.assertClean();
});

test("a checklist and a place are made", async (t) => {
  const { window, page, add } = await open(t, "ada", {
    geolocation: { latitude: 52.52, longitude: 13.405, accuracy: 20 },
    permissions: ["geolocation"],
  });
  const list = await add("Checklist…");
  await list.getByRole("button", { name: "Send the checklist" }).click();
  await list.getByText("A checklist needs an item.").waitFor();
  await list.getByRole("textbox", { name: "Title" }).fill("The party");
  await list.getByRole("textbox", { name: "Item 1" }).fill("Cake");
  await list.getByRole("textbox", { name: "Item 3" }).fill("Tea");
  await list.getByRole("button", { name: "Send the checklist" }).click();
  await page.getByRole("checkbox", { name: "Tea" }).click();
  await page.getByText("1 of 2 done").waitFor();

  const place = await add("Location…");
  await place.getByRole("button", { name: "Send the place" }).click();
  await place.getByText("Latitude is from -90 to 90, longitude from -180 to 180.").waitFor();
  await place.getByRole("button", { name: "Where I am" }).click();
  await window.becomes(() => place.getByRole("textbox", { name: "Latitude" }).inputValue(), "52.520000");
  await place.getByRole("textbox", { name: "What it is called" }).fill("The office");
  await place.getByRole("button", { name: "Send the place" }).click();
  const said = page.getByRole("article").filter({ hasText: "The office" });
  await said.getByText("within 20 m").waitFor();
  await said.getByRole("link", { name: "Open in a map" }).waitFor();
  window.assertClean();
});

test("files are dropped on the messages, and one that is not wanted is taken away", async (t) => {
  const { window, page, field, message } = await open(t, "ada");
  const files = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(["One"], "one.txt", { type: "text/plain" }));
    data.items.add(new File(["Two"], "two.txt", { type: "text/plain" }));
    return data;
  });
  const log = page.getByRole("main").getByRole("log").first();
  for (const type of ["dragenter", "dragover", "drop"]) await log.dispatchEvent(type, { dataTransfer: files });
  await page.getByRole("textbox", { name: "Describe one.txt" }).waitFor();
  await page.getByRole("button", { name: "Remove two.txt" }).click();
  await window.becomes(() => page.evaluate(() => document.activeElement.localName), "textarea");
  await field.fill("Dropped");
  await page.keyboard.press("Enter");
  await message("Dropped").getByRole("button", { name: "Download one.txt" }).waitFor();
  assert.equal(await message("Dropped").getByRole("button", { name: /Download/ }).count(), 1);
  window.assertClean();
});

test("where two devices have written something else, one chooses", async (t) => {
  const desk = await open(t, "ada");
  const phone = await open(t, "ada");
  await desk.window.context.setOffline(true);
  await desk.page.getByText("Offline. What you send waits here").waitFor();
  await desk.field.fill("At the desk");
  await phone.field.fill("On the phone");
  const kept = async () => (await server.call("GET", "/me/drafts", undefined, "ada")).drafts.map(({ parts }) => parts[0].text);
  await phone.window.becomes(kept, ["On the phone"]);
  await desk.window.context.setOffline(false);
  await desk.page.getByText("You have written something else here on another device.").waitFor();
  assert.equal(await desk.field.inputValue(), "At the desk");
  await desk.page.getByRole("button", { name: "Use that" }).click();
  await desk.window.becomes(() => desk.field.inputValue(), "On the phone");
  await desk.page.getByText("You have written something else").waitFor({ state: "detached" });
  await desk.field.fill("On both");
  await phone.window.becomes(() => phone.field.inputValue(), "On both");
  await desk.field.fill("");
  await phone.window.becomes(() => phone.field.inputValue(), "");
});

test("slow mode says how long one waits, also after the page was loaded anew", async (t) => {
  const { window, page, field, message } = await open(t, "ada", { at: `#/c/${slow}` });
  await field.fill("Once");
  await page.keyboard.press("Enter");
  await message("Once").waitFor();
  const wait = page.getByRole("timer");
  await wait.getByText(/Slow mode: wait \d+ seconds/).waitFor();
  await page.reload();
  await wait.getByText(/Slow mode: wait \d+ seconds/).waitFor();
  await field.fill("Twice");
  assert.ok(await page.getByRole("button", { name: "Send", exact: true }).isDisabled());
  await field.fill("");
  window.assertClean();
});

test("the help sheet tells what keys do on a message", async (t) => {
  const { window, page } = await open(t, "ada");
  await page.getByRole("article").first().waitFor();
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("?");
  const help = page.getByRole("dialog");
  const keys = help.getByRole("heading", { name: "On the message that has the focus" }).locator("xpath=..");
  await keys.getByText("Reply in a thread").waitFor();
  await window.assertAccessible("help");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+Shift+P");
  await page.getByRole("combobox").first().fill(">Copy link");
  assert.equal(await page.getByRole("option", { name: /Copy link/ }).count(), 0, "told, but not in the palette");
  window.assertClean();
});
