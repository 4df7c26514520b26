// What an application that imports this package loads: each entry as its own bundler would make it, minified and
// compressed. Fails above the budget, and where what is not used is not left out. Needs `npm run build`.

import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";

const root = resolve(import.meta.dirname, "..");
const KB = 1024;

/** Each: what is imported, bytes that it may be, and words that must not be in it. */
const BUDGETS = [
  { name: "hubbub", code: `export * from "hubbub";`, most: 15 * KB },
  {
    name: "hubbub, without an outbox",
    code: `export { Hubbub } from "hubbub";`,
    most: 12 * KB,
    without: ["hubbub-outbox", "indexedDB"],
  },
  {
    name: "one View",
    code: `export { Cell } from "hubbub";`,
    most: KB,
    without: ["hubbub.v1.json", "hubbub-outbox"],
  },
];

async function bundle(code) {
  const result = await build({
    configFile: false,
    logLevel: "error",
    root,
    build: {
      write: false,
      target: "es2022",
      minify: true,
      modulePreload: { polyfill: false },
      rolldownOptions: { input: "virtual:entry", preserveEntrySignatures: "strict" },
    },
    plugins: [
      {
        name: "entry",
        resolveId(id) {
          if (id === "virtual:entry") return `\0${id}`;
          if (id === "hubbub") return resolve(root, "dist/index.js");
        },
        load: (id) => (id === "\0virtual:entry" ? code : undefined),
      },
    ],
  });
  return result.output.map((chunk) => chunk.code ?? "").join("");
}

let failed = false;
for (const { name, code, most, without = [] } of BUDGETS) {
  const text = await bundle(code);
  const size = gzipSync(text, { level: 9 }).length;
  const left = without.filter((word) => text.includes(word));
  const verdict = size > most ? "too large" : left.length > 0 ? `holds ${left.join(", ")}` : "ok";
  failed ||= verdict !== "ok";
  console.log(
    `${name}: ${(size / KB).toFixed(1)} KB of ${most / KB} KB gzipped (${(text.length / KB).toFixed(1)} KB): ${verdict}`,
  );
}
process.exitCode = failed ? 1 : 0;
