// What messages can have beside words, and what only some people see: sound, films, emoji of one's own, previews,
// versions, what waits for a moderator, what programs answer.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { launchBrowser, Server, Window } from "./harness.js";
import { mp4, png, wav } from "./media.js";

let server, browser, group, pages;
before(async () => {
  pages = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>A page of its own</title><meta name=description content='Nothing but this'>");
  }).listen(0, "127.0.0.1");
  await once(pages, "listening");
  server = await Server.start({
    settings: ['previews.allowed_networks=["127.0.0.0/8"]', `previews.ports=[${pages.address().port}]`],
  });
  browser = await launchBrowser();
  await server.user("ada", "Ada Lovelace");
  await server.user("bob", "Bob Marsh");
  await server.call("PUT", "/users/mo", { name: "Mo Derator", office: "admin" });
  group = await server.conversation("bob", "group", "Design", ["ada", "mo"]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
  pages?.close();
});

async function open(t, user, options) {
  const opened = await Window.during(t, browser, server, user, `#/c/${group}`, options);
  const deed = async (of, name) => {
    await opened.message(of).click({ button: "right" });
    await opened.page.getByRole("menuitem", { name }).click();
  };
  return { ...opened, deed };
}
const send = (user, parts, more = {}) => server.call("POST", `/conversations/${group}/messages`, { parts, ...more }, user);

test("sound and films are played in place, and can be had as files", async (t) => {
  const files = [await server.file("bob", "silence.wav", wav()), await server.file("bob", "film.mp4", mp4())];
  await send("bob", files.map((file) => ({ type: "file", file })));
  const { window, page } = await open(t, "ada");
  const sound = page.locator("audio");
  await sound.waitFor();
  await window.becomes(() => sound.evaluate(({ duration }) => duration), 1);
  assert.equal(await sound.getAttribute("aria-label"), "silence.wav");
  await sound.evaluate((element) => element.play());
  await window.becomes(() => sound.evaluate(({ ended }) => ended), true);
  await page.locator("video[aria-label='film.mp4']").waitFor();
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download silence.wav" }).click();
  assert.equal((await download).suggestedFilename(), "silence.wav");
  window.assertClean();
});

test("emoji of one's own are shown in texts, in reactions and in the picker", async (t) => {
  await server.call("PUT", "/emoji/parrot", { file: await server.file("mo", "parrot.png", png()) }, "mo");
  const { seq } = await server.say("bob", group, "A :parrot: and a :dodo:");
  await server.call("PUT", `/conversations/${group}/messages/${seq}/reactions/parrot`, {}, "bob");
  const { window, page, field, message } = await open(t, "ada");
  const said = message("and a :dodo:");
  await said.getByRole("paragraph").getByRole("img", { name: ":parrot:" }).waitFor();
  await said.getByRole("button", { name: "Bob Marsh with parrot" }).click();
  await said.getByRole("button", { name: /You.* with parrot/ }).waitFor();
  const drawn = said.locator("img[alt=':parrot:']");
  await window.becomes(() => drawn.evaluateAll((all) => all.map(({ naturalWidth }) => naturalWidth)), [10, 10]);
  await field.pressSequentially("My :parr");
  await page.getByRole("option", { name: /parrot/ }).waitFor();
  await page.keyboard.press("Enter");
  await window.becomes(() => field.inputValue(), "My :parrot: ");
  await field.fill("");
  await page.getByRole("button", { name: "Emoji", exact: true }).click();
  await page.getByRole("textbox", { name: "Search emoji" }).fill("parrot");
  await page.keyboard.press("Enter");
  await window.becomes(() => field.inputValue(), ":parrot: ");
  window.assertClean();
});

test("a link is previewed, and who has written it takes the preview away", async (t) => {
  const ada = await open(t, "ada");
  const bob = await open(t, "bob");
  const address = `http://127.0.0.1:${pages.address().port}/`;
  await ada.field.fill(`Read ${address} please`);
  await ada.page.keyboard.press("Enter");
  await bob.page.getByRole("link", { name: "A page of its own" }).waitFor();
  await bob.message(address).getByText("Nothing but this").waitFor();
  assert.equal(await bob.message(address).getByRole("button", { name: "Remove this preview" }).count(), 1); // the owner's
  await ada.page.getByRole("button", { name: "Remove this preview" }).click();
  for (const each of [ada, bob]) {
    await each.page.getByRole("link", { name: "A page of its own" }).waitFor({ state: "detached" });
    each.window.assertClean();
  }
});

test("what a message said before is shown, the newest first", async (t) => {
  const { seq } = await server.say("bob", group, "First thought");
  for (const text of ["Second thought", "Third thought"]) {
    const parts = [{ type: "text", text, format: "markdown" }];
    await server.call("PATCH", `/conversations/${group}/messages/${seq}`, { parts }, "bob");
  }
  const { window, page, message, deed } = await open(t, "ada");
  await deed("Third thought", "Earlier versions");
  const versions = page.getByRole("dialog").getByRole("listitem");
  await versions.first().waitFor();
  const said = (await versions.allTextContents()).map((text) => /([A-Z][a-z]+) thought/.exec(text)[1]);
  assert.deepEqual(said, ["Third", "Second", "First"]);
  await page.keyboard.press("Escape");
  await message("Third thought").getByRole("button", { name: /^Edited/ }).waitFor();
  window.assertClean();
});

test("a message is reported, and moderators hear of it", async (t) => {
  await server.say("bob", group, "Buy my things!");
  const { window, page, deed } = await open(t, "ada");
  await deed("Buy my things!", "Report…");
  const dialog = page.getByRole("dialog", { name: "Report this message" });
  await dialog.getByText("Buy my things!").waitFor();
  await dialog.getByRole("combobox", { name: "What is wrong with it" }).selectOption("impersonation");
  await dialog.getByRole("textbox", { name: /What else/ }).fill("He is not Bob");
  await dialog.getByRole("button", { name: "Report" }).click();
  await page.getByText("Thank you. Moderators look at it.").waitFor();
  await dialog.waitFor({ state: "detached" });
  const mo = await open(t, "mo", { at: "#/moderation" });
  await mo.page.getByRole("main").getByRole("link", { name: /Bob Marsh/ }).click();
  await mo.page.getByText("“He is not Bob”").waitFor();
  window.assertClean();
});

test("what waits for a moderator only its author sees, who may withdraw it", async (t) => {
  const rules = [{ name: "bargains", when: [{ type: "pattern", pattern: "bargain" }], action: "hold" }];
  await server.call("PUT", "/moderation/rules/draft", { rules }, "mo");
  await server.call("POST", "/moderation/rules/publish", {}, "mo");
  const ada = await open(t, "ada");
  const bob = await open(t, "bob");
  for (const text of ["A bargain", "No bargain"]) {
    await ada.field.fill(text);
    await ada.page.keyboard.press("Enter");
    await ada.message(text).getByText("Waits for a moderator. Only you see it.").waitFor();
  }
  await ada.message("No bargain").getByRole("button", { name: "Withdraw" }).click();
  await ada.message("No bargain").waitFor({ state: "detached" });
  await ada.page.reload();
  await ada.message("A bargain").getByText("Waits for a moderator. Only you see it.").waitFor();
  assert.equal(await ada.message("No bargain").count(), 0);
  await ada.field.fill("All others");
  await ada.page.keyboard.press("Enter");
  await bob.message("All others").waitFor();
  assert.equal(await bob.message("bargain").count(), 0);
  for (const each of [ada, bob]) each.window.assertClean();
});
