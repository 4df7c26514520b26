// Writing: what is completed and attached, and what happens without a network.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, Server, Window } from "./harness.js";
import { png } from "./media.js";

let server, browser, group;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
  await server.user("ada", "Ada Lovelace");
  await server.user("bob", "Bob Marsh");
  group = await server.conversation("bob", "group", "Design", ["ada"]);
  await server.say("bob", group, "Good morning");
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function open(t, user, options) {
  const opened = await Window.during(t, browser, server, user, `#/c/${group}`, options);
  await opened.field.waitFor();
  return opened;
}

test("what one begins is completed: people, emoji, commands", async (t) => {
  const { window, page, field, message } = await open(t, "ada");
  await field.pressSequentially("Hi @ma");
  await page.getByRole("option", { name: /Bob Marsh/ }).waitFor();
  await page.keyboard.press("Enter");
  await field.pressSequentially(":tada");
  await page.getByRole("option", { name: ":tada:" }).waitFor();
  await page.keyboard.press("Tab");
  await window.becomes(() => field.inputValue(), "Hi @bob 🎉 ");
  await page.keyboard.type("now");
  await page.keyboard.press("Shift+Home");
  await page.keyboard.press("Control+b");
  await window.becomes(() => field.inputValue(), "**Hi @bob 🎉 now**");
  await page.keyboard.press("Control+b");
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await message("Hi @Bob Marsh 🎉 now").waitFor();
  await field.fill("/nothing here");
  await page.keyboard.press("Enter");
  await page.getByText(/There is no command \/nothing/).waitFor();
  window.assertClean();
});

test("what is too long is seen before it is sent, or saved, and is kept", async (t) => {
  const { window, page, field, message } = await open(t, "ada");
  await field.fill("é".repeat(9_600));
  await page.getByText("400 characters left").waitFor();
  await field.fill("é".repeat(10_001));
  await page.getByText("1 character too many").waitFor();
  assert.ok(await page.getByRole("button", { name: "Send", exact: true }).isDisabled());
  await page.keyboard.press("Enter");
  assert.equal((await field.inputValue()).length, 10_001);
  await field.fill("Short");
  await page.keyboard.press("Enter");
  await page.locator("article[data-seq]").filter({ hasText: "Short" }).waitFor(); // the server has it
  await page.keyboard.press("ArrowUp");
  const editing = page.getByRole("textbox", { name: "Edit message" });
  await editing.fill("é".repeat(10_002));
  await page.getByText("2 characters too many").waitFor();
  await page.keyboard.press("Enter");
  assert.ok(await page.getByRole("button", { name: "Save" }).isDisabled());
  await editing.fill("Shorter");
  await page.keyboard.press("Enter");
  await message("Shorter").waitFor();
  window.assertClean();
});

test("a file is uploaded, described and sent; a poll is made", async (t) => {
  const { window, page, message } = await open(t, "ada");
  await page.locator("input[type=file]").setInputFiles([
    { name: "dot.png", mimeType: "image/png", buffer: png() },
    { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("Notes") },
  ]);
  await page.getByRole("textbox", { name: "Describe dot.png" }).fill("A red dot");
  await page.getByRole("textbox", { name: "Describe notes.txt" }).waitFor();
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await message("A red dot").getByRole("img", { name: "A red dot" }).waitFor();
  await page.getByRole("button", { name: "Download notes.txt" }).waitFor();
  await page.getByRole("button", { name: "Open A red dot" }).click();
  await page.getByRole("dialog", { name: "A red dot" }).getByRole("img").waitFor();
  await page.keyboard.press("Escape");

  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("menuitem", { name: "Poll…" }).click();
  await page.getByRole("textbox", { name: "Question" }).fill("Tea?");
  await page.getByRole("textbox", { name: "Option 1" }).fill("Yes");
  await page.getByRole("textbox", { name: "Option 2" }).fill("No");
  await page.getByRole("button", { name: "Send the poll" }).click();
  await page.getByRole("region", { name: "Poll: Tea?" }).getByRole("button", { name: /^Yes/ }).waitFor();
  window.assertClean();
});

test("what is written without a network waits, survives a reload, and is sent in order", async (t) => {
  const ada = await open(t, "ada");
  const bob = await open(t, "bob");
  await ada.window.context.setOffline(true);
  await ada.page.getByText("Offline. What you send waits here").waitFor();
  for (const text of ["First in the tunnel", "Second in the tunnel"]) {
    await ada.field.fill(text);
    await ada.page.keyboard.press("Enter");
    await ada.message(text).getByRole("img", { name: /Waits to be sent|Sending/ }).waitFor();
  }
  await ada.field.fill("A draft");
  await ada.window.context.setOffline(false);
  await bob.message("Second in the tunnel").waitFor();
  const said = (await bob.page.getByRole("article").allTextContents()).filter((text) => text.includes("tunnel"));
  assert.match(said[0], /First/);
  assert.equal(said.length, 2);
  await ada.window.becomes(
    async () => (await server.call("GET", "/me/drafts", undefined, "ada")).drafts.length,
    1,
  );
  await ada.page.reload();
  await ada.window.becomes(() => ada.field.inputValue(), "A draft");
});

test("a full outbox survives a reload", async (t) => {
  const ada = await open(t, "ada");
  await server.kill();
  await ada.page.getByText("Offline. What you send waits here").waitFor();
  await ada.field.fill("Written before the reload");
  await ada.page.keyboard.press("Enter");
  await ada.message("Written before").waitFor();
  await server.launch(server.port);
  await ada.page.reload();
  await ada.message("Written before").getByRole("button", { name: /^(Sent|Delivered|Read)/ }).waitFor();
  const { messages } = await server.call("GET", `/conversations/${group}/messages?limit=5`, undefined, "bob");
  assert.equal(messages.filter((each) => each.parts[0].text === "Written before the reload").length, 1);
});

test("where one may not write it is said why", async (t) => {
  const news = await server.conversation("bob", "broadcast", "News", ["ada"]);
  const { window, page } = await open(t, "ada");
  await page.evaluate((id) => location.assign(`#/c/${id}`), news);
  await page.getByText("You may read here, but not write.").waitFor();
  await server.call("PATCH", `/conversations/${group}`, { closed: true }, "bob");
  await page.evaluate((id) => location.assign(`#/c/${id}`), group);
  await page.getByText("This conversation is closed.").waitFor();
  await server.call("PATCH", `/conversations/${group}`, { closed: false }, "bob");
  await page.getByRole("textbox", { name: "Message Design" }).waitFor();
  window.assertClean();
});
