// Settings: axe finds nothing serious in any section; what is chosen is kept.


import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, Server, Window } from "./harness.js";

let server, browser, design;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
  await server.user("ada", "Ada Lovelace");
  await server.user("bob", "Bob Marsh");
  design = await server.conversation("bob", "group", "Design", ["ada"], { topic: "How it looks" });
  await server.conversation("bob", "topic", "music", [], { topic: "Songs" });
  await server.say("bob", design, "Good **morning**");
  await server.say("bob", await server.direct("bob", "ada"), "Lunch?");
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function open(t, at, options) {
  const window = await Window.of(browser, server, "ada", { at, ...options });
  t.after(() => window.close());
  return window;
}

for (const section of ["profile", "appearance", "language", "notifications", "privacy", "keyboard", "about"]) {
  test(`settings: ${section}`, async (t) => {
    const window = await open(t, `#/settings/${section}`);
    await window.page.locator("#settings-section").waitFor();
    await window.assertAccessible(section);
    window.assertClean();
  });
}

test("settings are kept and shared: theme, direction, language, profile", async (t) => {
  const window = await open(t, "#/settings/appearance");
  const { page } = window;
  const root = (name) => page.evaluate((of) => document.documentElement.getAttribute(of), name);
  await page.getByText("Dark", { exact: true }).click();
  await window.becomes(() => root("data-theme"), "dark");
  const background = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  assert.notEqual(background, "rgb(255, 255, 255)");
  await page.reload();
  await window.becomes(() => root("data-theme"), "dark");

  await page.getByRole("link", { name: "Language" }).click();
  await page.getByText("Right to left", { exact: true }).click();
  await window.becomes(() => root("dir"), "rtl");

  await page.getByRole("link", { name: "Profile" }).click();
  await page.getByRole("textbox", { name: "Name" }).fill("Countess Ada");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved").waitFor();
  await page.getByRole("button", { name: /Countess Ada/ }).waitFor();
  window.assertClean();
});
