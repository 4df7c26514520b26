import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Browser, browser, finished, prepared, Running } from "./running.js";

const VENV = resolve(import.meta.dirname, "../../../..", process.env.HUBBUB_VENV ?? ".venv");

let place: string;
let server: Running;
let example: Running;
let chromium: Browser;

beforeAll(async () => {
  const folder = await prepared("react-vite");
  // As its README says: tokens come from the development server.
  place = mkdtempSync(join(tmpdir(), "hubbub-ts-"));
  server = await Running.start(place, [join(VENV, "bin/hubbub"), "serve", "--dev", "--port", "0"], {});
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
  const page = await chromium.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error.message)));
  await page.goto(`${example.url}/?user=ada`);
  await page.getByRole("button", { name: "Begin a conversation" }).click();
  await page.getByLabel("Message").fill("Hello?");
  await page.getByLabel("Message").press("Enter");
  await page.getByText("ada: Hello?").waitFor();
  await page.goto(`${example.url}/?user=ada`);
  await page.getByText("ada: Hello?").waitFor();
  expect(faults).toEqual([]);
});

test("it builds, and its types are right", async () => {
  const folder = await prepared("react-vite");
  expect(await finished(folder, "tsc", "-p", "tsconfig.json")).toBe("");
  await finished(folder, "vite", "build", "--logLevel", "error", "--outDir", "node_modules/.built");
}, 120_000);
