// Examples as they stand: installed from their lock files, with the package as it is built now.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const PACKAGE = resolve(import.meta.dirname, "../..");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const PATIENCE = 50_000;
/** Run a program to its end; rejects if that is a bad one. */
export const run = promisify(execFile);

/** The newest change below a file or folder, what was made or installed there aside. Milliseconds. */
export function changed(path: string): number {
  if (!existsSync(path)) return 0;
  const { mtimeMs } = statSync(path);
  if (!statSync(path).isDirectory() || readdirSync(path).length === 0) return mtimeMs;
  const made = ["node_modules", "dist", ".next", "next-env.d.ts"];
  const inside = readdirSync(path).filter((name) => !made.includes(name));
  return Math.max(0, ...inside.map((name) => changed(join(path, name))));
}

/** The folder of the package, built if that has to be done; one test at a time. */
export async function built(): Promise<string> {
  const lock = join(PACKAGE, "node_modules/.building");
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch {
      // Who has it is at work, or has died.
      if (Date.now() - changed(lock) > PATIENCE) rmSync(lock, { recursive: true, force: true });
      await sleep(50);
    }
  }
  try {
    const stale = changed(join(PACKAGE, "src")) > changed(join(PACKAGE, "dist/react.js"));
    if (stale) await run("npm", ["run", "build"], { cwd: PACKAGE });
    return PACKAGE;
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

/** See that what a lock file names is there. */
export async function installed(folder: string): Promise<void> {
  const stamp = join(folder, "node_modules/.package-lock.json");
  if (changed(join(folder, "package-lock.json")) <= changed(stamp)) return;
  await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
  utimesSync(stamp, new Date(), new Date());
}

/** The folder of an example, ready to run. */
export async function prepared(name: string): Promise<string> {
  await built();
  const folder = join(PACKAGE, "examples", name);
  await installed(folder);
  // npm has put a copy there, as of the day of its installation.
  const copy = join(folder, "node_modules/hubbub");
  if (changed(join(PACKAGE, "dist/react.js")) > changed(join(copy, "dist/react.js"))) {
    rmSync(join(copy, "dist"), { recursive: true, force: true });
    cpSync(join(PACKAGE, "dist"), join(copy, "dist"), { recursive: true, preserveTimestamps: true });
    cpSync(join(PACKAGE, "package.json"), join(copy, "package.json"));
    rmSync(join(folder, "node_modules/.vite"), { recursive: true, force: true }); // made of what was there before
  }
  return folder;
}

/** The environment, without what the test runner has put there, nor settings of servers: pytest's have no chat. */
function inherited(): NodeJS.ProcessEnv {
  const rest: Record<string, string | undefined> = {
    ...process.env,
    NO_COLOR: "1",
    NEXT_TELEMETRY_DISABLED: "1",
  };
  delete rest.NODE_ENV;
  for (const name of Object.keys(rest)) if (name.startsWith("HUBBUB_")) delete rest[name];
  return rest as NodeJS.ProcessEnv;
}

/** Run a program of an example to its end. */
export async function finished(folder: string, program: string, ...args: string[]): Promise<string> {
  const options = { cwd: folder, env: inherited() };
  const { stdout, stderr } = await run(join(folder, "node_modules/.bin", program), args, options).catch(
    (error: { stdout?: string; stderr?: string }) => {
      throw new Error(`${program} failed:\n${error.stdout}${error.stderr}`);
    },
  );
  return stdout + stderr;
}

/** A server of an example, at `url` since it has said so. */
export class Running {
  url = "";
  output = "";
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(
    folder: string,
    command: string[],
    environment: Record<string, string>,
  ): Promise<Running> {
    const [program = "", ...args] = command;
    const child = spawn(program, args, {
      cwd: folder,
      env: { ...inherited(), ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const running = new Running(child);
    child.stderr.on("data", (data: Buffer) => {
      running.output += data.toString();
    });
    await new Promise<void>((ready, fail) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        running.output += `${line}\n`;
        const found = /https?:\/\/(localhost|127\.0\.0\.1):\d+/.exec(line);
        if (found && running.url === "") {
          running.url = found[0];
          ready();
        }
      });
      const give = () => fail(new Error(`${command.join(" ")} did not start:\n${running.output}`));
      child.once("exit", give);
      setTimeout(give, PATIENCE).unref();
    });
    return running;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((done) => this.#child.once("exit", done));
    this.#child.kill("SIGKILL");
    await gone;
  }
}

/** What is used of playwright-core's pages. */
export interface Page {
  goto(url: string): Promise<unknown>;
  getByRole(role: string, options?: { name?: string }): Locator;
  getByLabel(text: string): Locator;
  getByText(text: string): Locator;
  locator(selector: string): Locator;
  on(
    event: "pageerror" | "console",
    listener: (told: { message?: string; text?: () => string }) => void,
  ): void;
  waitForFunction(expression: string): Promise<unknown>;
  close(): Promise<void>;
}

export interface Locator {
  click(): Promise<void>;
  fill(text: string): Promise<void>;
  press(key: string): Promise<void>;
  waitFor(): Promise<void>;
  textContent(): Promise<string | null>;
  count(): Promise<number>;
  inputValue(): Promise<string>;
  setInputFiles(file: { name: string; mimeType: string; buffer: Uint8Array }): Promise<void>;
}

export interface Browser {
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

/** Chromium, by the library that `tests/browser` has. */
export async function browser(): Promise<Browser> {
  const require = createRequire(resolve(PACKAGE, "../../tests/browser/package.json"));
  const { chromium } = require("playwright-core") as {
    chromium: { launch(options: object): Promise<Browser> };
  };
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
  });
}

/** The files of a documentation page, by the titles of its blocks of code. */
export function filesOf(page: string): Map<string, string> {
  const text = readFileSync(resolve(PACKAGE, "../../docs/how-to", page), "utf8");
  const blocks = text.matchAll(/^```\w+ title="([^"]+)"\n(.*?)^```$/gms);
  return new Map([...blocks].map(([, name = "", code = ""]) => [name, code]));
}
