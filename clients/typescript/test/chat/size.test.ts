import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Rollup } from "vite";
import { expect, test } from "vitest";

const SOURCE = resolve(import.meta.dirname, "../../src");
const KB = 1024;

/** Bytes of what a page loads, minified and compressed. */
async function size(code: string): Promise<number> {
  const result = (await build({
    configFile: false,
    logLevel: "error",
    build: {
      write: false,
      target: "es2022",
      minify: true,
      modulePreload: { polyfill: false },
      rollupOptions: { input: "virtual:entry", preserveEntrySignatures: "strict" },
    },
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === "virtual:entry" ? `\0${id}` : undefined),
        load: (id) => (id === "\0virtual:entry" ? code : undefined),
      },
    ],
  })) as Rollup.RollupOutput;
  const text = result.output.map((each) => ("code" in each ? each.code : "")).join("");
  return gzipSync(text, { level: 9 }).length;
}

/** What a chat with all of its abilities may weigh beside the core. */
const MOST = 19 * KB;

test("the chat is as small as it can be beside the core, compressed", async () => {
  const core = `export * from "${SOURCE}/index.ts";`;
  const chat = `export * from "${SOURCE}/chat.ts";`;
  const beside = (await size(core + chat)) - (await size(core));
  console.log(`hubbub/chat: ${(beside / KB).toFixed(1)} KB gzipped beside the core`);
  expect(beside).toBeGreaterThan(5 * KB); // it was there
  expect(beside).toBeLessThanOrEqual(MOST);
});
