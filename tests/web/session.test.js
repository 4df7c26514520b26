// Where tokens come from, what is told of new messages, and being away.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, Server, Window } from "./harness.js";

let server, browser, design, direct;
before(async () => {
  server = await Server.start({ settings: ["web.token_url=/session/token", "web.title=Acme Chat"] });
  browser = await launchBrowser();
  await server.user("ada", "Ada Lovelace");
  await server.user("bob", "Bob Marsh");
  design = await server.conversation("bob", "group", "Design", ["ada"]);
  direct = await server.direct("bob", "ada");
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function token(user) {
  const response = await fetch(new URL("dev/token", server.url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user }),
  });
  return (await response.json()).token;
}

test("the site that the app is in gives the token, by its cookies", async (t) => {
  const asked = [];
  const window = await Window.open(browser, server, "", {
    prepare: async (page) => {
      await page.context().addCookies([{ name: "login", value: "ada", url: server.url }]);
      await page.route("**/session/token", async (route) => {
        asked.push((await route.request().allHeaders()).cookie);
        await route.fulfill({ json: { token: await token("ada") } });
      });
    },
  });
  t.after(() => window.close());
  await window.row("Design").waitFor();
  assert.deepEqual(asked, ["login=ada"]);
  await window.becomes(() => window.page.title(), "Acme Chat");
  await window.page.getByRole("heading", { name: "Acme Chat" }).waitFor();
  window.assertClean();
});

test("a site that gives none is asked again when one says so", async (t) => {
  let logged = false;
  const window = await Window.open(browser, server, "", {
    prepare: (page) =>
      page.route("**/session/token", async (route) => {
        await route.fulfill(logged ? { body: await token("ada") } : { status: 401, body: "no" });
      }),
  });
  t.after(() => window.close());
  await window.page.getByRole("alert").filter({ hasText: "answered 401" }).waitFor();
  await window.page.reload();
  await window.page.getByRole("alert").filter({ hasText: "answered 401" }).waitFor();
  logged = true;
  await window.page.reload();
  await window.row("Design").waitFor();
});

test("a new message is read out, shown by the browser, and counted in the title", async (t) => {
  const window = await Window.of(browser, server, "ada", {
    permissions: ["notifications"],
    settings: { sound: false },
    prepare: (page) =>
      page.addInitScript(() => {
        globalThis.shown = [];
        globalThis.Notification = class {
          static permission = "granted";
          constructor(title, options) {
            globalThis.shown.push([title, options.body]);
          }
        };
        document.hasFocus = () => false;
      }),
  });
  t.after(() => window.close());
  const { page } = window;
  await window.row("Design").waitFor();
  await server.say("bob", design, "The **colours** are in");
  await page.getByRole("status").filter({ hasText: "New message from Bob Marsh in Design" }).waitFor({ state: "attached" });
  await server.say("bob", direct, "Lunch?");
  await page.getByRole("status").filter({ hasText: /^New message from Bob Marsh$/ }).waitFor({ state: "attached" });
  await window.becomes(
    () => page.evaluate(() => globalThis.shown),
    [
      ["Bob Marsh · Design", "The colours are in"],
      ["Bob Marsh", "Lunch?"],
    ],
  );
  await window.becomes(() => page.title(), "(2) Acme Chat");

  await page.evaluate(() => {
    location.hash = "#/settings/notifications";
  });
  await page.getByText("Nothing", { exact: true }).click();
  await server.say("bob", direct, "No news");
  await window.becomes(() => page.title(), "(3) Acme Chat");
  assert.equal(await page.evaluate(() => globalThis.shown.length), 2);
});

test("who says that it is away is seen so, and back again", async (t) => {
  const ada = await Window.of(browser, server, "ada");
  const bob = await Window.of(browser, server, "bob");
  t.after(() => Promise.all([ada.close(), bob.close()]));
  await bob.row("Ada Lovelace").getByText("online").waitFor();
  await ada.page.getByRole("button", { name: /Ada Lovelace.*Online/s }).click();
  await ada.page.getByRole("menuitem", { name: "Say that you are away" }).click();
  await bob.row("Ada Lovelace").getByText("away").waitFor();
  await ada.page.getByRole("button", { name: /Ada Lovelace.*Away/s }).click();
  await ada.page.getByRole("menuitem", { name: "Say that you are back" }).click();
  await bob.row("Ada Lovelace").getByText("online").waitFor();
  ada.assertClean();
});

test("who touches nothing for a while is away, until it does", async (t) => {
  const bob = await Window.of(browser, server, "bob");
  const ada = await Window.open(browser, server, "?as=ada", {
    prepare: (page) => page.clock.install(),
  });
  t.after(() => Promise.all([ada.close(), bob.close()]));
  await ada.row("Design").waitFor();
  await ada.page.mouse.move(10, 10);
  await bob.row("Ada Lovelace").getByText("online").waitFor();
  await ada.page.clock.fastForward("10:01");
  await bob.row("Ada Lovelace").getByText("away").waitFor();
  await ada.page.mouse.move(20, 20);
  await bob.row("Ada Lovelace").getByText("online").waitFor();
});
