// Reports, cases and what is decided of them; rules; what users see of it, and appeals.

import { after, before, test } from "node:test";

import { launchBrowser, Server, Window } from "./harness.js";

let server, browser, room, bad;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
  for (const [id, name] of [
    ["ada", "Ada Lovelace"],
    ["bob", "Bob Marsh"],
    ["eve", "Eve Malory"],
  ]) {
    await server.user(id, name);
  }
  await server.call("PUT", "/users/mo", { name: "Mo Derator", office: "admin" });
  room = await server.conversation("ada", "group", "Room", ["bob", "eve", "mo"]);
  bad = await server.say("eve", room, "Buy my things!");
  const report = { conversation: room, message: bad.seq, reason: "spam", note: "Every day" };
  await server.call("POST", "/reports", report, "bob");
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function open(t, user, at) {
  const window = await Window.of(browser, server, user, { at });
  t.after(() => window.close());
  return window;
}

test("a case is claimed, noted, decided, appealed and answered", async (t) => {
  const ada = await open(t, "ada", "#/moderation");
  const { page } = ada;
  await page.getByRole("main").getByRole("link", { name: /Eve Malory/ }).click();
  await page.getByText("“Every day”").waitFor();
  await page.getByText("Where it was said").click();
  await page.getByRole("link", { name: "Show in the conversation" }).waitFor();
  await ada.assertAccessible("a case");
  await page.getByRole("button", { name: "Claim" }).click();
  await page.getByText("Claimed by you").waitFor();
  await page.getByRole("textbox", { name: "Add a note" }).fill("The third time");
  await page.getByRole("button", { name: "Add" }).click();
  await page.getByText("The third time").waitFor();
  await page.getByText("Mute", { exact: true }).click();
  await page.getByRole("textbox", { name: "What they are told" }).fill("No advertising");
  await page.getByRole("button", { name: "Decide: Mute" }).click();
  await page.getByRole("heading", { name: "Decision" }).waitFor();
  await page.getByRole("link", { name: "Restrictions" }).click();
  await page.getByRole("main").getByText("Eve Malory", { exact: true }).waitFor();

  const eve = await open(t, "eve", "#/moderation");
  await eve.page.getByText("In force").waitFor();
  await eve.assertAccessible("about oneself");
  await eve.page.getByRole("button", { name: "Appeal" }).click();
  await eve.page.getByRole("textbox", { name: "Why it was wrong" }).fill("It was a joke");
  await eve.page.getByRole("dialog").getByRole("button", { name: "Appeal" }).click();
  await eve.page.getByText(/Your appeal waits/).waitFor();

  const mo = await open(t, "mo", "#/moderation");
  await mo.page.getByRole("combobox", { name: "State" }).selectOption("appealed");
  await mo.page.getByRole("main").getByRole("link", { name: /Eve Malory/ }).click();
  await mo.page.getByText("It was a joke").waitFor();
  await mo.page.getByRole("button", { name: "Grant it", exact: true }).click();
  await eve.page.getByText(/Appeal: Granted/).waitFor();
  await eve.page.getByText("In force").waitFor({ state: "detached" });
  for (const each of [ada, eve, mo]) each.assertClean();
});

test("rules are drafted, tried, published and rolled back; words are listed; all of it is in the log", async (t) => {
  const mo = await open(t, "mo", "#/moderation/lists");
  const { page } = mo;
  await page.getByRole("button", { name: "New list" }).click();
  await page.getByRole("textbox", { name: "Name" }).fill("rude");
  await page.getByRole("textbox", { name: /Words/ }).fill("drat\nheck*");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("2 words").waitFor();

  await page.getByRole("link", { name: "Rules" }).click();
  const rules = page.getByRole("textbox", { name: "Rules" });
  const publish = async (action) => {
    await rules.fill("[{");
    await page.getByText(/This is no JSON/).waitFor();
    await rules.fill(
      JSON.stringify([{ name: "rude words", when: [{ type: "blocklist", lists: ["rude"] }], action }]),
    );
    await page.getByRole("button", { name: "Save the draft" }).click();
    await page.getByRole("button", { name: "Publish" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Publish" }).click();
    await page.getByRole("region", { name: "Live" }).getByText(action === "mask" ? "Mask" : "Refuse it").waitFor();
  };
  await publish("mask");
  await page.getByRole("textbox", { name: "A message" }).fill("oh dr4t");
  await page.getByRole("button", { name: "Try it" }).click();
  await page.locator("mark", { hasText: "dr4t" }).waitFor();
  await page.getByText("It becomes: oh ••••").waitFor();
  await mo.assertAccessible("rules");
  await publish("reject");
  await page.getByRole("button", { name: "Make live again" }).last().click();
  await page.getByText(/is live again/).waitFor();

  await page.getByRole("link", { name: "Audit log" }).click();
  await page.getByRole("textbox", { name: "What" }).fill("moderation.");
  await page.getByRole("main").getByRole("listitem").filter({ hasText: "moderation." }).first().waitFor();
  await mo.assertAccessible("the log");
  mo.assertClean();
});
