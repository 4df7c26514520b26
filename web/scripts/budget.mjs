// How much is loaded before one sees one's conversations, compressed. usage: node scripts/budget.mjs [folder]
// Fails above the budgets. Printed are the files of the initial load, those of a conversation (fetched at the same time,
// and shown when they are there), and those that come when they are asked for.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const INITIAL = 150 * 1024; // bytes: until one sees the list of conversations
const CONVERSATION = 75 * 1024; // bytes: on top of it, until one sees messages and can write
const folder = process.argv[2] ?? fileURLToPath(new URL("../../src/hubbub/web/static", import.meta.url));

const manifest = JSON.parse(await readFile(`${folder}/manifest.json`, "utf8"));
const page = await readFile(`${folder}/index.html`, "utf8");

/** Files that come with a chunk at once: its own, and those of what it imports. */
function filesOf(name, found = new Set(), seen = new Set()) {
  const chunk = manifest[name];
  if (chunk === undefined || seen.has(name)) return found;
  seen.add(name);
  for (const file of [chunk.file, ...(chunk.css ?? [])]) found.add(file);
  for (const other of chunk.imports ?? []) filesOf(other, found, seen);
  return found;
}

const linked = [...page.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map((match) => match[1]);
const initial = new Set(["index.html", ...linked, ...filesOf("index.html")]);
const conversation = new Set([...filesOf("src/app/Conversation.tsx")].filter((file) => !initial.has(file)));
const all = Object.values(manifest).flatMap((chunk) => [chunk.file, ...(chunk.css ?? [])]);
const later = new Set(all.filter((file) => !initial.has(file) && !conversation.has(file)));

const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} KB`.padStart(9);

async function total(files, what) {
  let sum = 0;
  for (const file of [...files].sort()) {
    const bytes = gzipSync(await readFile(`${folder}/${file}`), { level: 9 }).length;
    sum += bytes;
    console.log(`${kilobytes(bytes)}  ${file}`);
  }
  console.log(`${kilobytes(sum)}  ${what}\n`);
  return sum;
}

await total(later, "later, when it is asked for");
const first = await total(initial, `initial load, of ${kilobytes(INITIAL).trim()}`);
const second = await total(conversation, `a conversation, of ${kilobytes(CONVERSATION).trim()}`);
if (conversation.size === 0) throw new Error("no chunk of a conversation in the manifest");
process.exitCode = first > INITIAL || second > CONVERSATION ? 1 : 0;
