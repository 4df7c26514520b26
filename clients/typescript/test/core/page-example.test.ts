// The page and the README: the example is run as it stands there, and all that is shown has the types that it needs.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { Server, until } from "../server.js";

const root = resolve(import.meta.dirname, "../..");
const blocks = (path: string) => {
  const found = readFileSync(resolve(root, path), "utf8").matchAll(/^```ts[^\n]*\n(.*?)^```/gms);
  return [...found].map((each) => each[1] ?? "");
};
const page = blocks("../../docs/how-to/typescript.md");
const example = page[0] ?? "";

test("the example is ten lines, and the same in both places", () => {
  expect(example.split("\n").filter((line) => line.trim()).length).toBeLessThanOrEqual(10);
  expect(blocks("README.md")[0]).toBe(example);
});

test("the example does what it says, with Node alone and the package as it is built", async () => {
  const server = await Server.start();
  const backend = createServer((_, response) => response.end(server.token("ada")));
  await new Promise<void>((done) => backend.listen(0, "127.0.0.1", done));
  const { port } = backend.address() as { port: number };
  const file = join(root, `test/.example-${process.pid}.mjs`); // in the package, which then is `hubbub`
  writeFileSync(
    file,
    example
      .replace("https://app.example.com/token", `http://127.0.0.1:${port}`)
      .replace("http://127.0.0.1:8000", server.url),
  );
  let child: ChildProcess | undefined;
  let said = "";
  try {
    child = spawn(process.execPath, [file], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (data) => (said += data));
    await until(() => said.includes("paid") || child?.exitCode != null, "the example says it").catch(
      () => {},
    );
    expect(said).toBe("order.updated { id: 7, state: 'paid' }\n");
  } finally {
    child?.kill();
    rmSync(file);
    backend.closeAllConnections();
    backend.close();
    await server.stop();
  }
});

test("what the page shows has the right types", async () => {
  const folder = mkdtempSync(join(root, "test/.page-"));
  const names =
    'import { type Channel, Hubbub, HubbubError, indexedDbStorage, Outbox } from "../../src/index.js";\n';
  const known = "declare const hubbub: Hubbub;\ndeclare const orders: Channel;\n";
  try {
    page.forEach((block, at) => {
      const own = block.includes('from "hubbub"')
        ? block.replace('"hubbub"', '"../../src/index.js"')
        : names + known + block;
      writeFileSync(join(folder, `block-${at}.ts`), own);
    });
    const options = { noEmit: true, noUnusedLocals: false };
    const config = {
      extends: "../../tsconfig.json",
      compilerOptions: options,
      include: ["./*.ts"],
      exclude: [],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const done = await promisify(execFile)(process.execPath, [tsc, "-p", folder]).catch((error) => error);
    expect(done.stdout).toBe("");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
