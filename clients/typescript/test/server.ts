/** A real server for tests: `hubbub serve` as a child, on a free port, with its database in a folder of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const ROOT = resolve(import.meta.dirname, "../../..");
const VENV = resolve(ROOT, process.env.HUBBUB_VENV ?? ".venv");
const PATIENCE = 50_000;

/** However busy the machine is, nothing is given up: or new sessions wait for as long as others keep it busy. */
export const CALM = {
  "load.handshake_rate": 0,
  "load.busy": 1000,
  "load.overloaded": 1000,
  "load.critical": 1000,
} as const;

/** What `--dev` opens: channels with a log and presence, for whoever has a token. */
const OPEN = {
  "default.retention": 1000,
  "default.subscribe": "authenticated",
  "default.publish": "authenticated",
  "default.history": "authenticated",
  "default.presence": "full",
  "default.join_leave": true,
  ...CALM,
};

/** Settings are what a test says, whatever else is set where it runs. */
const OUTSIDE: NodeJS.ProcessEnv = { ...process.env };
for (const name of Object.keys(OUTSIDE)) if (name.startsWith("HUBBUB_")) delete OUTSIDE[name];

/** Settings as `hubbub serve` takes them. */
export const flags = (settings: Readonly<Record<string, string | number | boolean>>): string[] =>
  Object.entries(settings).flatMap(([name, value]) => ["--set", `${name}=${value}`]);

export interface ServerOptions {
  /** `section.field` to its value, as `--set` takes them; added to those of an open server. */
  settings?: Readonly<Record<string, string | number | boolean>>;
  /** `module:attribute` of an application, and the folder in which it is. */
  app?: { name: string; folder: string };
}

export interface TokenOptions {
  /** Seconds from now. Default: an hour. */
  ttl?: number;
  /** Further claims, such as `channels` and `subscribe`. */
  [claim: string]: unknown;
}

export class Server {
  readonly folder = mkdtempSync(join(tmpdir(), "hubbub-ts-"));
  /** Signs tokens of connections (HS256). */
  readonly secret = randomBytes(32).toString("base64url");
  /** For the server API. */
  readonly apiKey = randomBytes(32).toString("base64url");
  port = 0;
  readonly #options: ServerOptions;
  #child: ChildProcess | undefined;
  #starts = 0;

  constructor(options: ServerOptions = {}) {
    this.#options = options;
  }

  /** Start one and wait until it takes connections. */
  static async start(options: ServerOptions = {}): Promise<Server> {
    const server = new Server(options);
    await server.up();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What it has said since it was last started. */
  get log(): string {
    return readFileSync(join(this.folder, `log-${this.#starts}`), "utf8");
  }

  /** Start it; a second time on the same port, with the same database. */
  async up(): Promise<void> {
    const { app, settings } = this.#options;
    const hash = createHash("sha256").update(this.apiKey).digest("hex");
    const all = {
      ...OPEN,
      "auth.hmac_secret": this.secret,
      "auth.api_keys": JSON.stringify([`sha256:${hash}`]),
      "storage.url": `sqlite:///${join(this.folder, "hubbub.db")}`,
      "attachments.url": `file:${join(this.folder, "files")}`,
      ...settings,
    };
    const args = ["serve", ...(app ? [app.name] : []), "--port", String(this.port), ...flags(all)];
    this.#starts++;
    const log = openSync(join(this.folder, `log-${this.#starts}`), "w");
    const child = spawn(join(VENV, "bin/hubbub"), args, {
      cwd: this.folder,
      env: { ...OUTSIDE, ...(app && { PYTHONPATH: app.folder }) },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#child = child;
    const deadline = Date.now() + PATIENCE;
    for (;;) {
      const port = /"event":"listening".*"port":(\d+)/.exec(this.log)?.[1];
      if (port) {
        this.port = Number(port);
        return;
      }
      if (child.exitCode !== null || Date.now() > deadline) {
        child.kill("SIGKILL");
        throw new Error(`the server did not start:\n${this.log}`);
      }
      await sleep(20);
    }
  }

  /** End its process: `SIGKILL` as a crash would, `SIGTERM` as an operator does. */
  async down(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await gone;
  }

  /** End it, and take away its folder. */
  async stop(): Promise<void> {
    await this.down();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A token for `user`, that may do everything in every channel unless its claims say otherwise. */
  token(user: string, { ttl = 3600, ...claims }: TokenOptions = {}): string {
    const now = Math.floor(Date.now() / 1000);
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const body = { sub: user, iat: now, exp: now + ttl, ...claims };
    const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(body)}`;
    return `${signed}.${createHmac("sha256", this.secret).update(signed).digest("base64url")}`;
  }

  /** POST to the server API. */
  async post(path: string, body: unknown): Promise<unknown> {
    const headers = { authorization: `Bearer ${this.apiKey}`, "content-type": "application/json" };
    const response = await fetch(this.url + path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path}: HTTP ${response.status} ${await response.text()}`);
    const text = await response.text();
    return text ? JSON.parse(text) : undefined;
  }

  /** GET from the server API. */
  async get(path: string): Promise<unknown> {
    const response = await fetch(this.url + path, { headers: { authorization: `Bearer ${this.apiKey}` } });
    if (!response.ok) throw new Error(`${path}: HTTP ${response.status} ${await response.text()}`);
    return response.json();
  }
}

/** Wait until `condition` holds; says `what` if it does not in time. */
export async function until(
  condition: () => unknown,
  what = "the condition",
  patience = 20_000,
): Promise<void> {
  const deadline = Date.now() + patience;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${what} did not come true in ${patience / 1000} s`);
    await sleep(5);
  }
}
