import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CALM, flags } from "../server.js";
import { type Browser, browser, finished, type Page, prepared, Running } from "./running.js";

const VENV = resolve(import.meta.dirname, "../../../..", process.env.HUBBUB_VENV ?? ".venv");

let place: string;
let server: Running;
let example: Running;
let chromium: Browser;
const faults: string[] = [];

/** Begin a server, as the README says: tokens come from the development server. */
async function serve(settings: Readonly<Record<string, string | number>>, port = "0"): Promise<void> {
  const command = [join(VENV, "bin/hubbub"), "serve", "--dev", "--port", port, ...flags(settings)];
  server = await Running.start(place, command, {});
}

async function open(): Promise<Page> {
  const page = await chromium.newPage();
  page.on("pageerror", (error) => faults.push(String(error.message)));
  await page.goto(`${example.url}/?user=ada`);
  return page;
}

beforeAll(async () => {
  const folder = await prepared("react-vite");
  place = mkdtempSync(join(tmpdir(), "hubbub-ts-"));
  await serve(CALM);
  example = await Running.start(
    folder,
    ["node", "node_modules/vite/bin/vite.js", "--port", "0", "--host", "127.0.0.1"],
    { HUBBUB_URL: server.url },
  );
  chromium = await browser();
}, 120_000);
afterAll(async () => {
  await chromium?.close();
  await example?.stop();
  await server?.stop();
  rmSync(place, { recursive: true, force: true });
});

test("it is a chat", async () => {
  const page = await open();
  await page.getByRole("button", { name: "Begin a conversation" }).click();
  await page.getByLabel("Message").fill("Hello?");
  await page.getByLabel("Message").press("Enter");
  await page.getByText("ada: Hello?").waitFor();
  await (await open()).getByText("ada: Hello?").waitFor();
  expect(faults).toEqual([]);
});

test("while the server takes nobody in, it says so, and has nothing that could be clicked in vain", async () => {
  await server.stop();
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place);
  const port = new URL(server.url).port;
  // As on a machine that is busy with something else.
  const levels = { hysteresis: 1e-5, busy: 1e-4, overloaded: 2e-4, critical: 3e-4 };
  const busy = Object.fromEntries(Object.entries(levels).map(([name, from]) => [`load.${name}`, from]));
  await serve({ ...CALM, ...busy }, port);
  const page = await open();
  await page.getByText("connecting: too much load").waitFor();
  expect(await page.getByRole("button").count()).toBe(0);
  expect(faults).toEqual([]);
});

test("it builds, and its types are right", async () => {
  const folder = await prepared("react-vite");
  expect(await finished(folder, "tsc", "-p", "tsconfig.json")).toBe("");
  await finished(folder, "vite", "build", "--logLevel", "error", "--outDir", "node_modules/.built");
}, 120_000);
