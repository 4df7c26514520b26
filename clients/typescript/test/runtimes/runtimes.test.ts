// The package as it is built, in Node, Deno and Bun, over every transport, through cuts of the connection.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { built, installed } from "../examples/running.js";
import { FaultProxy } from "../proxy.js";
import { Server } from "../server.js";

const HERE = import.meta.dirname;
const PROGRAM = join(HERE, "client.mjs");
const DENO = join(HERE, "node_modules/@deno/linux-x64-glibc/deno");
const BUN = join(HERE, "node_modules/@oven/bun-linux-x64/bin/bun");
/** npm has them for other machines, too, but this lock file does not. */
const THERE = process.platform === "linux" && process.arch === "x64";

let server: Server;
let proxy: FaultProxy;

beforeAll(async () => {
  await built();
  if (THERE) await installed(HERE);
  server = await Server.start();
  proxy = await FaultProxy.start(server);
}, 180_000);
afterAll(async () => {
  await proxy?.stop();
  await server?.stop();
});

/** What the program says; its connection is cut whenever it asks for that. */
async function told(command: readonly string[], user: string): Promise<Record<string, unknown>[]> {
  const [program = "", ...args] = command;
  const env = { ...process.env, HUBBUB_URL: proxy.url, HUBBUB_TOKEN: server.token(user) };
  const child = spawn(program, args, { cwd: HERE, env, stdio: ["ignore", "pipe", "pipe"] });
  const steps: Record<string, unknown>[] = [];
  let complaints = "";
  child.stderr.on("data", (data: Buffer) => {
    complaints += data.toString();
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    const step = JSON.parse(line) as Record<string, unknown>;
    if ("cut" in step) proxy.cut();
    else steps.push(step);
  });
  const code = await new Promise((done) => child.once("close", done));
  expect([code, complaints]).toEqual([0, ""]);
  return steps;
}

const steps = (runtime: string) => [
  { runtime },
  { transport: "websocket", seen: [1, 2], same: true },
  { conversations: ["Release"] },
  { transport: "sse", seen: [1, 2], same: true },
  { transport: "polling", seen: [1, 2], same: true },
  { done: true },
];

test("in Node", async () => {
  expect(await told([process.execPath, PROGRAM], "ada")).toEqual(steps("node"));
});

test.runIf(THERE)("in Deno", async () => {
  expect(existsSync(DENO)).toBe(true);
  const command = [
    DENO,
    "run",
    "--quiet",
    "--no-lock",
    "--allow-net",
    "--allow-env",
    "--allow-read",
    PROGRAM,
  ];
  expect(await told(command, "bob")).toEqual(steps("deno"));
});

test.runIf(THERE)("in Bun", async () => {
  expect(existsSync(BUN)).toBe(true);
  expect(await told([BUN, PROGRAM], "eve")).toEqual(steps("bun"));
});
