import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HubbubServer } from "../../src/server.js";
import { Server } from "../server.js";
import { type Browser, browser, changed, finished, type Page, prepared, Running } from "./running.js";

const API_KEY = `hubbub_${randomBytes(32).toString("base64url")}`;

let server: Server;
let example: Running;
let chromium: Browser;
const faults: string[] = [];

beforeAll(async () => {
  const folder = await prepared("nextjs");
  const sources = Math.max(changed(folder), changed(join(folder, "node_modules/hubbub/dist/react.js")));
  if (sources > changed(join(folder, ".next/BUILD_ID"))) await finished(folder, "next", "build");
  server = await Server.start({
    settings: {
      "auth.api_keys": `sha256:${createHash("sha256").update(API_KEY).digest("hex")}`,
      "server.allowed_origins": "*",
    },
  });
  example = await Running.start(
    folder,
    ["node", "node_modules/next/dist/bin/next", "start", "--port", "0", "--hostname", "127.0.0.1"],
    { HUBBUB_URL: server.url, HUBBUB_API_KEY: API_KEY, HUBBUB_TOKEN_SECRET: server.secret },
  );
  chromium = await browser();
}, 180_000);
afterAll(async () => {
  await chromium?.close();
  await example?.stop();
  await server?.stop();
});

async function open(query: string): Promise<Page> {
  const page = await chromium.newPage();
  page.on("pageerror", (error) => faults.push(String(error.message)));
  page.on("console", (message) => {
    const said = message.text?.() ?? "";
    if (/hydrat|did not match|Minified React error/i.test(said)) faults.push(said);
  });
  await page.goto(`${example.url}/?${query}`);
  await page.waitForFunction("document.querySelector('[role=status]').textContent === 'live'");
  return page;
}

test("the server renders the page, and keeps its keys", async () => {
  const html = await (await fetch(`${example.url}/?user=ada&peer=bob`)).text();
  expect(html).toContain('<p role="status">idle</p>');
  expect(html).toContain('aria-label="Message"');
  expect(html).not.toContain(API_KEY);
  expect(html).not.toContain(server.secret);
});

test("two people write to each other", async () => {
  const ada = await open("user=ada&peer=bob");
  const bob = await open("user=bob&peer=ada");
  await ada.getByLabel("Message").fill("Is it live?");
  await bob.getByText("ada types").waitFor();
  await ada.getByRole("button", { name: "Send" }).click();
  await bob.getByText("Is it live?").waitFor();
  await bob.getByLabel("Message").fill("It is.");
  await bob.getByLabel("Message").press("Enter");
  await ada.getByText("It is.").waitFor();
  expect(await ada.locator("main > p[data-status=sent]").count()).toBe(2);

  const hubbub = new HubbubServer(server.url, { apiKey: API_KEY });
  const direct = await hubbub.as("ada").chat.conversations.direct({ user: "bob" });
  expect(direct.created).toBe(false);
  const { id } = direct.conversation.conversation;
  await hubbub
    .as("bob")
    .chat.messages.send({ conversation: id, parts: [{ type: "text", text: "From afar" }] });
  await ada.getByText("From afar").waitFor();
  expect(faults).toEqual([]);
});

test("nobody gets a token for nobody", async () => {
  expect((await fetch(`${example.url}/token`, { method: "POST" })).status).toBe(401);
});
