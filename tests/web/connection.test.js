// What one is told of the connection, and that the app comes back by itself.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, Server, Window } from "./harness.js";

let server, browser, design;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
  await server.user("ada", "Ada Lovelace");
  await server.user("bob", "Bob Marsh");
  design = await server.conversation("bob", "group", "Design", ["ada"]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test("a server that goes and comes back", async (t) => {
  const window = await Window.of(browser, server, "ada");
  t.after(() => window.close());
  await window.row("Design").waitFor();
  const bar = window.page.getByRole("status").filter({ hasText: /Connection lost/ });

  await server.kill();
  await bar.waitFor();
  await window.row("Design").waitFor(); // what is known is still shown
  await bar.filter({ hasText: /Trying again in/ }).waitFor();
  await server.launch(server.port);
  const now = bar.getByRole("button", { name: "Try now" });
  await now.click({ timeout: 3000 }).catch(() => undefined); // it may have come back by itself
  await bar.waitFor({ state: "detached" });
  await server.say("bob", design, "Here again");
  await window.row("Design").filter({ hasText: "Bob Marsh: Here again" }).waitFor();
});

test("a browser without a network says so", async (t) => {
  const window = await Window.of(browser, server, "ada");
  t.after(() => window.close());
  await window.row("Design").waitFor();
  await window.context.setOffline(true);
  const bar = window.page.getByRole("status").filter({ hasText: "You are offline." });
  await bar.waitFor();
  await window.assertAccessible("offline");
  await window.context.setOffline(false);
  await bar.waitFor({ state: "detached" });
});

test("somebody who is sent away for good learns why, and can sign in again", async (t) => {
  const window = await Window.of(browser, server, "ada");
  t.after(() => window.close());
  await window.row("Design").waitFor();
  await server.call("POST", "/users/ada/disconnect", { code: 3502 });
  const bar = window.page.getByRole("status").filter({ hasText: /The connection has ended/ });
  await bar.getByRole("button", { name: "Sign in again" }).click();
  await window.page.getByText("Who do you want to be?").waitFor();
  await window.page.getByRole("alert").filter({ hasText: "disconnected" }).waitFor();
});

test("what is written without a server waits, can be thrown away, and is sent when it is back", async (t) => {
  const conversation = await server.conversation("bob", "group", "Outbox", ["ada"]);
  const window = await Window.of(browser, server, "ada", { at: `#/c/${conversation}` });
  t.after(() => window.close());
  const { page } = window;
  const field = page.getByRole("textbox", { name: /^Message/ });
  await field.waitFor();
  // What shows the outbox is fetched when it is calm, and there from then on.
  await page.waitForFunction(() =>
    performance.getEntriesByType("resource").some(({ name }) => /OutboxDialog.*\.js$/.test(name)),
  );
  await page.waitForLoadState("networkidle");
  await server.kill();
  for (const text of ["one", "two"]) {
    await field.fill(text);
    await field.press("Enter");
  }
  const bar = page.getByRole("status").filter({ hasText: "2 messages wait to be sent." });
  await bar.getByRole("button", { name: "Review" }).click();
  const dialog = page.getByRole("dialog", { name: "Not sent yet" });
  await dialog.getByRole("listitem").filter({ hasText: "one" }).getByRole("button", { name: "Discard" }).click();
  await dialog.getByText("one", { exact: true }).waitFor({ state: "detached" });
  await page.keyboard.press("Escape");

  await page.reload({ timeout: 2000 }).catch(() => undefined); // there is nobody to give the page
  await server.launch(server.port);
  await page.goto(new URL(`?as=ada#/c/${conversation}`, server.url).href);
  await window.row("Outbox").filter({ hasText: "You: two" }).waitFor();
  await window.becomes(async () => {
    const { messages } = await server.call("GET", `/conversations/${conversation}/messages`);
    return messages.filter((each) => each.kind !== "system").map((each) => each.parts[0].text);
  }, ["two"]);
});

test("what is refused for good says so, and can be thrown away", async (t) => {
  const conversation = await server.conversation("bob", "group", "Closing", ["ada"]);
  const window = await Window.of(browser, server, "ada", { at: `#/c/${conversation}` });
  t.after(() => window.close());
  const { page } = window;
  const field = page.getByRole("textbox", { name: /^Message/ });
  await field.waitFor();
  await window.context.setOffline(true);
  await page.getByRole("status").filter({ hasText: "You are offline." }).waitFor();
  await field.fill("too late");
  await field.press("Enter");
  await server.call("PATCH", `/conversations/${conversation}`, { closed: true }, "bob");
  await window.context.setOffline(false);
  const bar = page.getByRole("status").filter({ hasText: "1 message could not be sent." });
  await bar.getByRole("button", { name: "Review" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Discard" }).click();
  await bar.waitFor({ state: "detached" });
});

test("a part that the network loses is fetched again, and the page stays as it is", async (t) => {
  const window = await Window.of(browser, server, "ada", {
    prepare: (page) => page.route("**/Help*.js", (route) => route.abort(), { times: 2 }),
  });
  t.after(() => window.close());
  await window.page.evaluate(() => {
    globalThis.here = true;
  });
  await window.page.keyboard.press("?");
  await window.page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  assert.equal(await window.page.evaluate(() => globalThis.here), true);
});

test("a part that a new version does not have any more comes with the new page", async (t) => {
  let deployed = false;
  const window = await Window.of(browser, server, "ada", {
    prepare: async (page) => {
      await page.route("**/Help*.js", (route) => (deployed ? route.continue() : route.fulfill({ status: 404 })));
    },
  });
  t.after(() => window.close());
  const { page } = window;
  await page.evaluate(() => {
    globalThis.here = true;
  });
  await page.route(
    (url) => url.href.startsWith(server.url) && url.pathname === "/",
    (route) => {
      if (deployed) return route.continue();
      deployed = true;
      return route.fulfill({ contentType: "text/html", body: "<title>The new version</title>" });
    },
  );
  await page.keyboard.press("?");
  await page.waitForFunction(() => globalThis.here === undefined);
  await window.row("Design").waitFor();
});
