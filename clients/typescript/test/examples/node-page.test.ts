// docs/how-to/node.md: its files, in their order, with Node and the package as it is built.

import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HubbubServer, signWebhook } from "../../src/server.js";
import { Server } from "../server.js";
import { built, filesOf, run } from "./running.js";

const API_KEY = `hubbub_${randomBytes(32).toString("base64url")}`;
const WEBHOOK_SECRET = `whsec_${randomBytes(24).toString("base64")}`;

let server: Server;
let place: string;

beforeAll(async () => {
  server = await Server.start({
    settings: { "auth.api_keys": `sha256:${createHash("sha256").update(API_KEY).digest("hex")}` },
  });
  place = mkdtempSync(join(tmpdir(), "hubbub-page-"));
  mkdirSync(join(place, "node_modules"));
  symlinkSync(await built(), join(place, "node_modules/hubbub"));
  writeFileSync(join(place, "package.json"), '{"type": "module"}');
  for (const [name, code] of filesOf("node.md")) writeFileSync(join(place, name), code);
}, 120_000);
afterAll(async () => {
  await server?.stop();
  rmSync(place, { recursive: true, force: true });
});

/** What a module prints. */
async function ran(code: string): Promise<string> {
  const env = {
    ...process.env,
    HUBBUB_URL: server.url,
    HUBBUB_API_KEY: API_KEY,
    HUBBUB_TOKEN_SECRET: server.secret,
    HUBBUB_WEBHOOK_SECRET: WEBHOOK_SECRET,
  };
  const { stdout, stderr } = await run("node", ["--input-type=module", "-e", code], { cwd: place, env });
  expect(stderr).toBe("");
  return stdout.trim();
}

test("the page runs from top to bottom", async () => {
  const hubbub = new HubbubServer(server.url, { apiKey: API_KEY });
  const names = [...filesOf("node.md").keys()];
  expect(names).toEqual(["hubbub.js", "tokens.js", "publish.js", "errors.js", "chat.js", "webhook.js"]);

  const token = await ran('import { ada } from "./tokens.js"; console.log(ada)');
  const me = await fetch(`${server.url}/v1/me`, { headers: { Authorization: `Bearer ${token}` } });
  expect(((await me.json()) as { user: object }).user).toMatchObject({ id: "ada", name: "Ada" });

  expect(await ran('import "./publish.js"')).toBe("3 0");
  expect((await hubbub.history("orders:us")).publications.map((each) => each.data)).toEqual([{ id: 10 }]);
  expect(await ran('import "./errors.js"')).toBe("not_found false conversation");
  expect(await ran('import "./chat.js"')).toBe("1");
});

test("and its webhook is taken once, and only if it is signed", async () => {
  const body = '{"type": "message.created"}';
  const headers = await signWebhook(body, WEBHOOK_SECRET, { id: "msg_1" });
  const said = await ran(`
    import { POST } from "./webhook.js";
    const request = (body) => new Request("http://localhost/", {
      method: "POST", body, headers: ${JSON.stringify(headers)},
    });
    for (const body of ['${body}', '${body}', '{}']) console.log((await POST(request(body))).status);
  `);
  expect(said).toBe("webhook { type: 'message.created' }\n204\n204\n401");
});
