// The page for developers in the app, on a server with conversations: who is signed in is one of the clients, operations
// of the chat can be called, and axe finds nothing serious. What clients, frames and commands do is in tests/browser.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, Server, Window } from "./harness.js";

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
  await server.user("ada", "Ada Lovelace");
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const clientOf = (page, name) => page.getByRole("region", { name: `Client ${name}` });
const state = (client) => client.locator("[data-state]");

async function open(t, options) {
  const window = await Window.open(browser, server, "?as=ada#/developer", options);
  t.after(() => window.close());
  return window;
}

test("whoever is signed in is one of the clients, and calls operations of the chat", async (t) => {
  const window = await open(t);
  const { page } = window;
  const ada = clientOf(page, "ada");
  const bob = clientOf(page, "bob");
  await state(bob).getByText("Live").waitFor();
  await ada.getByRole("textbox", { name: "Message" }).fill("hello bob");
  await ada.getByRole("button", { name: "Send" }).click();
  await bob.getByText("hello bob").waitFor();

  await ada.locator("[data-fold=commands] > summary").click();
  await ada.getByRole("combobox", { name: "Command" }).selectOption("Call a method");
  await window.becomes(() => ada.locator("datalist option[value='chat.messages.send']").count(), 1); // as the server says
  await ada.getByRole("combobox", { name: "Method" }).fill("chat.me.get");
  await ada.getByRole("button", { name: "Send command" }).click();
  const answers = ada.getByRole("log", { name: "Replies" }).getByRole("listitem");
  await answers.filter({ hasText: '"name": "Ada Lovelace"' }).waitFor();

  await ada.getByRole("combobox", { name: "Method" }).fill("chat.conversations.get");
  await ada.getByRole("textbox", { name: "Params (JSON)" }).fill('{"conversation": "none"}');
  await ada.getByRole("button", { name: "Send command" }).click();
  const refused = answers.first();
  await refused.getByText(/^10[5-9]$/).waitFor(); // with its number, and what to do about it
  await refused.getByText(/^(Check the name or id|The `field` of the error)/).waitFor();
  await window.assertAccessible("commands");
  window.assertClean();
});

test("old links lead here, signed in or not; after signing in the page stays", async (t) => {
  const window = await Window.open(browser, server, "playground");
  t.after(() => window.close());
  const { page } = window;
  await state(clientOf(page, "alice")).getByText("Live").waitFor();
  assert.match(page.url(), /#\/developer$/);
  assert.equal(await page.getByRole("link", { name: "Chat" }).getAttribute("href"), "#/");
  await page.goto(new URL("?as=ada#/developer", server.url).href);
  await state(clientOf(page, "ada")).getByText("Live").waitFor();
  await page.getByRole("navigation", { name: "Conversations" }).waitFor();
  window.assertClean();
});

test("a drop of one client is none of the app's, and its session is the same one afterwards", async (t) => {
  const window = await open(t);
  const { page } = window;
  const ada = clientOf(page, "ada");
  const bob = clientOf(page, "bob");
  await state(bob).getByText("Live").waitFor();
  const session = () => bob.locator("[data-session]").innerText();
  const before = await session();
  await bob.getByRole("button", { name: "Drop the network" }).click();
  await state(bob).getByText("Offline · network dropped").waitFor();
  await ada.getByRole("textbox", { name: "Message" }).fill("missed");
  await ada.getByRole("textbox", { name: "Message" }).press("Enter");
  await ada.getByText("missed", { exact: true }).waitFor();
  await bob.getByRole("button", { name: "Restore the network" }).click();
  await state(bob).getByText("Live · recovered 1 missed").waitFor();
  await bob.getByText("missed", { exact: true }).waitFor();
  assert.equal(await session(), before);
  await bob.getByRole("combobox", { name: "Transport" }).selectOption("Long-poll + POST");
  await window.becomes(session, before.replace("WebSocket", "Long-poll + POST"));
  window.assertClean();
});

test("on a phone one client is seen, and nothing is wider than the screen", async (t) => {
  const window = await open(t, { viewport: { width: 360, height: 740 } });
  const { page } = window;
  await page.getByRole("tab", { name: "bob" }).click();
  const bob = page.getByRole("tabpanel", { name: "Client bob" });
  await state(bob).getByText("Live").waitFor();
  await bob.locator("[data-fold=frames] > summary").click();
  await bob.getByRole("listitem").filter({ hasText: "connected" }).first().waitFor();
  assert.equal(await page.getByRole("tabpanel", { name: "Client ada" }).count(), 0);
  const { scrollWidth, clientWidth } = await page.evaluate(() => document.scrollingElement);
  assert.equal(scrollWidth, clientWidth);
  await window.assertAccessible("phone");
  window.assertClean();
});
