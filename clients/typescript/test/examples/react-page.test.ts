// docs/how-to/react.md: its files as an app of their own, with the types and the sources of the package, in Chromium.

import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createServer, type ViteDevServer } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HubbubServer } from "../../src/server.js";
import { Server } from "../server.js";
import { type Browser, browser, filesOf, finished, type Page } from "./running.js";

const PACKAGE = resolve(import.meta.dirname, "../..");
const API_KEY = `hubbub_${randomBytes(32).toString("base64url")}`;

let server: Server;
let hubbub: HubbubServer;
let place: string;
let vite: ViteDevServer;
let chromium: Browser;
let conversation: string;
const faults: string[] = [];

beforeAll(async () => {
  server = await Server.start({
    settings: {
      "auth.api_keys": `sha256:${createHash("sha256").update(API_KEY).digest("hex")}`,
      "server.allowed_origins": "*",
    },
  });
  hubbub = new HubbubServer(server.url, { apiKey: API_KEY, tokenSecret: server.secret });
  for (const [user, name] of Object.entries({ ada: "Ada Lovelace", bob: "Bob" })) {
    await hubbub.chat.users.upsert({ user, name });
  }
  const members = [{ user: "bob" }];
  const made = await hubbub.as("ada").chat.conversations.create({ kind: "group", name: "Release", members });
  conversation = made.conversation.id;

  place = mkdtempSync(join(PACKAGE, "node_modules/.page-")); // where React is found, and no linter looks
  for (const [name, code] of filesOf("react.md")) writeFileSync(join(place, name), code);
  const tokens = Object.fromEntries(
    await Promise.all(["ada", "bob"].map(async (user) => [user, await hubbub.token(user)])),
  );
  writeFileSync(
    join(place, "session.ts"),
    `export const url: string = ${JSON.stringify(server.url)};
    const tokens: Record<string, string> = ${JSON.stringify(tokens)};
    export const fetchToken = async (): Promise<string> => tokens[location.search.slice(1)] ?? "";`,
  );
  writeFileSync(
    join(place, "index.html"),
    '<!doctype html><html lang="en"><title>Page</title><div id="root"></div><script type="module" src="/main.tsx"></script></html>',
  );
  const paths = ["index", "chat", "react"].map((name) => [
    name === "index" ? "hubbub" : `hubbub/${name}`,
    [join(PACKAGE, "src", `${name}.ts`)],
  ]);
  const options = { paths: Object.fromEntries(paths) as object, types: [] };
  const config = {
    extends: join(PACKAGE, "tsconfig.json"),
    compilerOptions: options,
    include: ["*"],
    exclude: [],
  };
  writeFileSync(join(place, "tsconfig.json"), JSON.stringify(config));
  vite = await createServer({
    root: place,
    configFile: false,
    logLevel: "error",
    cacheDir: join(place, "cache"),
    resolve: {
      alias: [
        { find: /^hubbub$/, replacement: join(PACKAGE, "src/index.ts") },
        { find: /^hubbub\/(\w+)$/, replacement: join(PACKAGE, "src/$1.ts") },
      ],
    },
    server: { port: 0, host: "127.0.0.1", hmr: false, fs: { allow: [PACKAGE] } },
  });
  await vite.listen();
  chromium = await browser();
}, 120_000);
afterAll(async () => {
  await chromium?.close();
  await vite?.close();
  await server?.stop();
  rmSync(place, { recursive: true, force: true });
});

async function open(user: string): Promise<Page> {
  const page = await chromium.newPage();
  page.on("pageerror", ({ message = "" }) => {
    faults.push(message);
  });
  await page.goto(`${vite.resolvedUrls?.local[0]}?${user}`);
  await page.getByRole("button", { name: "Release" }).click();
  return page;
}

test("its types are right", async () => {
  expect(await finished(PACKAGE, "tsc", "--noEmit", "-p", place)).toBe("");
}, 120_000);

test("two people use it", async () => {
  const ada = await open("ada");
  const bob = await open("bob");
  await ada.getByText("connected, subscribed, 2 here").waitFor();

  await ada.getByLabel("Message").fill("Ship it?");
  await bob.getByText("ada types").waitFor();
  await ada.getByRole("button", { name: "Send" }).click();
  await bob.getByText("Ship it?").waitFor();
  await bob.getByText("Ada Lovelace").waitFor();
  await bob.locator("b[data-availability=online]").waitFor();
  await ada.locator("article[data-status=sent]").waitFor();
  expect(await ada.locator("input[aria-label=Message]").inputValue()).toBe("");

  await bob.getByLabel("File").setInputFiles({
    name: "report.txt",
    mimeType: "text/plain",
    buffer: Buffer.from("All is well.\n"),
  });
  await bob.getByLabel("report.txt: done").waitFor();
  await bob.getByRole("button", { name: "Send" }).click();
  await ada.getByText("[file]").waitFor();

  await hubbub.publish("orders:eu", "order.updated", { id: 7, state: "paid" });
  await ada.getByText("7: paid").waitFor();

  await bob.getByLabel("Message").fill("half a thou");
  const drafts = async () => (await hubbub.as("bob").chat.drafts.list()).drafts;
  while ((await drafts()).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  const again = await open("bob");
  await again.waitForFunction("document.querySelector('[aria-label=Message]').value === 'half a thou'");
  expect((await hubbub.as("ada").chat.conversations.get({ conversation })).membership.unread ?? 0).toBe(0);
  expect(faults).toEqual([]);
});
