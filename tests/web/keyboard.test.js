// Everything by keyboard alone: the list, the palette, the help sheet, dialogs, menus, parts of the window.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, Server, Window } from "./harness.js";

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
  await server.user("ada", "Ada Lovelace");
  await server.user("bob", "Bob Marsh");
  for (const name of ["Alpha", "Beta", "Gamma"]) await server.conversation("bob", "group", name, ["ada"]);
  await server.conversation("bob", "topic", "general", ["ada"]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function open(t, options) {
  const window = await Window.of(browser, server, "ada", options);
  t.after(() => window.close());
  await window.row("Alpha").waitFor();
  const press = async (...keys) => {
    for (const key of keys) await window.page.keyboard.press(key);
  };
  const focused = (expected) => window.becomes(() => window.focused().then((text) => expected.test(text)), true);
  const at = (heading) => window.page.getByRole("heading", { name: heading }).waitFor();
  return { window, page: window.page, press, focused, at };
}

test("the list is one stop of Tab; arrows, letters, Home and End move in it", async (t) => {
  const { window, press, focused, at } = await open(t);
  await press("g", "l");
  await focused(/^button: Groups/);
  await press("ArrowDown");
  await focused(/^a: .*Gamma/);
  await press("j");
  await focused(/^a: .*Beta/);
  await press("k", "k");
  await focused(/^button: Groups/);
  await press("Enter"); // folds
  await window.row("Gamma").waitFor({ state: "detached" });
  await press("ArrowRight");
  await window.row("Gamma").waitFor();
  await press("End");
  await focused(/^a: .*general/);
  await press("Home", "ArrowDown", "Enter");
  await at("Gamma");
  window.assertClean();
});

test("Alt and arrows go from conversation to conversation, wherever one is", async (t) => {
  const { press, at } = await open(t);
  await press("Alt+ArrowDown");
  await at("Gamma");
  await press("Alt+ArrowDown");
  await at("Beta");
  await press("Alt+ArrowUp", "Alt+ArrowUp");
  await at("general");
});

test("the help sheet tells the shortcuts; the focus comes back", async (t) => {
  const { page, press, focused } = await open(t);
  await press("g", "l");
  await press("?");
  const sheet = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await sheet.getByText("Next conversation", { exact: true }).waitFor();
  await press("Escape");
  await sheet.waitFor({ state: "detached" });
  await focused(/^button: Groups/);
});

test("F6 goes from part to part, and back to where one was in each", async (t) => {
  const { page, press, focused, at } = await open(t);
  await press("g", "l", "ArrowDown", "Enter");
  await at("Gamma");
  await page.locator("main:focus-within").waitFor(); // one can write at once
  await press("Control+.");
  await page.getByRole("complementary").waitFor();
  await press("Escape");
  await page.getByRole("complementary").waitFor({ state: "detached" });
  await page.locator("main:focus-within").waitFor();
  await press("F6");
  await focused(/^a: .*Gamma/);
  await press("ArrowDown");
  await focused(/^a: .*Beta/);
  await press("Shift+F6");
  await page.locator("main:focus-within").waitFor();
  await press("F6");
  await focused(/^a: .*Beta/);
});

test("a menu is opened, searched and closed", async (t) => {
  const { page, press, focused } = await open(t);
  await press("g", "l", "ArrowDown");
  await focused(/^a: .*Gamma/);
  await press("Shift+F10");
  await focused(/^menuitem: Mute for an hour/); // nothing to mark as read
  await press("ArrowDown");
  await focused(/^menuitem: Mute for eight hours/);
  await press("l");
  await focused(/^menuitem: Leave/);
  await press("Escape");
  await page.getByRole("menu").waitFor({ state: "detached" });
  await focused(/^a: .*Gamma/);
});

test("a dialog keeps the focus, and gives it back", async (t) => {
  const { page, press, focused } = await open(t);
  await press("g", "l");
  await press("c");
  await focused(/^combobox: /);
  for (let each = 0; each < 6; each++) {
    await press("Tab");
    assert.match(
      await page.evaluate(() => String(document.activeElement === document.body || document.activeElement.closest("dialog") !== null)),
      /true/,
    );
  }
  await press("Escape");
  await focused(/^button: Groups/);
});

test("the first stop of Tab leads to the conversation", async (t) => {
  const { page, press, focused } = await open(t);
  await press("Tab");
  await focused(/^button: Skip to the conversation/);
  await press("Enter");
  await page.locator("main:focus-within").waitFor();
});

test("panes are made wider with arrows, and stay so", async (t) => {
  const { window, page } = await open(t);
  const edge = page.getByRole("separator", { name: "Resize Conversations" });
  await edge.focus();
  await page.keyboard.press("ArrowRight");
  await window.becomes(() => edge.getAttribute("aria-valuenow"), "316");
  await page.reload();
  await window.becomes(() => edge.getAttribute("aria-valuenow"), "316");
});

// The last one: there is a direct conversation afterwards.
test("the palette goes anywhere and does anything", async (t) => {
  const { window, page, press, focused, at } = await open(t);
  await press("Control+k");
  await focused(/^combobox: Go to or do/);
  await page.keyboard.type("bet");
  await page.getByRole("option", { name: /Beta/ }).waitFor();
  await press("Enter");
  await at("Beta");

  await press("Control+k");
  await page.keyboard.type("marsh");
  await page.getByRole("option", { name: /Bob Marsh/ }).waitFor();
  await press("Enter");
  await at("Bob Marsh");

  await press("Control+k");
  await page.keyboard.type(">dark");
  await page.getByRole("option", { name: /Dark theme/ }).waitFor();
  await press("Enter");
  await window.becomes(() => page.evaluate(() => document.documentElement.dataset.theme), "dark");

  await press("Control+k");
  await focused(/^combobox/);
  await press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  window.assertClean();
});
