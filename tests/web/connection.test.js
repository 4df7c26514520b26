// What one is told of the connection, and that the app comes back by itself.

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
