import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HubbubServer, signWebhook } from "../../src/server.js";
import { Server } from "../server.js";
import { type Browser, browser, prepared, Running } from "./running.js";

const API_KEY = `hubbub_${randomBytes(32).toString("base64url")}`;
const WEBHOOK_SECRET = `whsec_${randomBytes(24).toString("base64")}`;

let server: Server;
let example: Running;
let chromium: Browser;

beforeAll(async () => {
  server = await Server.start({
    settings: {
      "auth.api_keys": `sha256:${createHash("sha256").update(API_KEY).digest("hex")}`,
      "server.allowed_origins": "*",
      "default.subscribe": "permitted",
    },
  });
  example = await Running.start(await prepared("express"), ["node", "server.js"], {
    PORT: "0",
    HUBBUB_URL: server.url,
    HUBBUB_API_KEY: API_KEY,
    HUBBUB_TOKEN_SECRET: server.secret,
    HUBBUB_WEBHOOK_SECRET: WEBHOOK_SECRET,
  });
  chromium = await browser();
}, 120_000);
afterAll(async () => {
  await chromium?.close();
  await example?.stop();
  await server?.stop();
});

const post = (path: string, body?: string, headers: Record<string, string> = {}) =>
  fetch(example.url + path, { method: "POST", headers, ...(body !== undefined && { body }) });

test("the page shows what the backend publishes", async () => {
  const page = await chromium.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error.message)));
  await page.goto(example.url);
  await page.waitForFunction("document.getElementById('state').textContent === 'connected'");
  await page.getByRole("button").click();
  await page.getByText("7: paid").waitFor();
  expect(await page.locator("#orders li").count()).toBe(1);
  expect(faults).toEqual([]);
  const hubbub = new HubbubServer(server.url, { apiKey: API_KEY });
  expect((await hubbub.history("orders:eu")).publications.map((each) => each.data)).toEqual([
    { id: "7", state: "paid" },
  ]);
  await page.close();
});

test("tokens are for those who say who they are, and allow no more than they should", async () => {
  const json = { "Content-Type": "application/json" };
  expect((await post("/token", "{}", json)).status).toBe(401);
  const answer = (await (await post("/token", '{"user": "ada"}', json)).json()) as { token: string };
  const claims = JSON.parse(Buffer.from(answer.token.split(".")[1] ?? "", "base64url").toString()) as object;
  expect(claims).toMatchObject({ sub: "ada", channels: { "orders:*": ["subscribe", "history"] } });
});

describe("webhooks", () => {
  test("are taken once, when they are signed", async () => {
    const body = '{"type": "message.created", "text": "Grüße"}';
    const headers = await signWebhook(body, WEBHOOK_SECRET, { id: "msg_1" });
    for (const _ of [1, 2]) {
      expect(
        (await post("/webhooks/hubbub", body, { ...headers, "Content-Type": "application/json" })).status,
      ).toBe(204);
    }
    expect(example.output.split("webhook msg_1")).toHaveLength(2);
    expect(example.output).toContain("Grüße");
  });

  test("are refused otherwise", async () => {
    const headers = await signWebhook("{}", WEBHOOK_SECRET, { id: "msg_2" });
    expect((await post("/webhooks/hubbub", '{"a": 1}', headers)).status).toBe(401);
    expect((await post("/webhooks/hubbub", "{}")).status).toBe(401);
    const old = await signWebhook("{}", WEBHOOK_SECRET, { id: "msg_3", timestamp: 1_614_265_330 });
    expect((await post("/webhooks/hubbub", "{}", old)).status).toBe(401);
    expect(example.output).not.toContain("webhook msg_2");
    expect(example.output).not.toContain("webhook msg_3");
  });
});
