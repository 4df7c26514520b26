// How much is fetched, and how long it takes until there is something to see.

import { readFile } from "node:fs/promises";
import { get } from "node:http";

import { DESKTOP, median, newContext, PHONE, Window } from "./chromium.mjs";

/** Bytes below which compressing is of no use. */
const SMALL = 2 * 1024;

/**
 * `rounds` of each, `phones` of those on a slow phone; `afterwards`: milliseconds after the last thing one waits for, in
 * which the page may still work or move.
 */
export async function loads(browser, { url, manifest, rounds, phones, afterwards }) {
  const figures = await bytes(browser, url, manifest);
  const signIn = await several(rounds, () => once(browser, url, ["signIn"], { afterwards }));
  const phoneHow = { ...PHONE, afterwards };
  const [cold, warm] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const context = await newContext(browser);
    cold.push(await load(context, `${url}/?as=ada#/c/demo-general`, ["list", "message"], { afterwards }));
    warm.push(await load(context, `${url}/?as=ada#/c/demo-general`, ["list", "message"], { afterwards }));
    await context.close();
  }
  const phone = await several(phones, async () => ({
    list: (await once(browser, `${url}/?as=ada`, ["list"], phoneHow)).list,
    ...(await once(browser, `${url}/?as=ada#/c/demo-general`, ["message"], phoneHow)),
  }));
  const of = (runs, name) => median(runs.map((run) => run[name]));
  const most = (runs, name) => Math.max(...runs.map((run) => run[name]));
  return {
    ...figures,
    sign_in_ms: of(signIn, "signIn"),
    cold_list_ms: of(cold, "list"),
    cold_message_ms: of(cold, "message"),
    cold_contentful_ms: of(cold, "contentful"),
    cold_blocking_ms: of(cold, "blocking"),
    cold_longest_task_ms: of(cold, "longest"),
    warm_list_ms: of(warm, "list"),
    warm_message_ms: of(warm, "message"),
    warm_fetched: [...new Set(warm.flatMap(({ fetched }) => fetched))],
    warm_wire_bytes: most(warm, "wire"),
    phone_list_ms: of(phone, "list"),
    phone_message_ms: of(phone, "message"),
    phone_blocking_ms: of(phone, "blocking"),
    layout_shift: most([...cold, ...warm, ...phone], "shift"),
    shifted: [...new Set([...cold, ...phone].flatMap((run) => run.shifted))],
  };
}

async function several(rounds, run) {
  const found = [];
  for (let round = 0; round < rounds; round++) found.push(await run());
  return found;
}

/** Load with an empty cache. */
async function once(browser, url, awaited, how) {
  const context = await newContext(browser, { ...DESKTOP, ...how });
  const found = await load(context, url, awaited, how);
  await context.close();
  return found;
}

async function load(context, url, awaited, { slow, afterwards }) {
  const window = await Window.open(context, url, { slow });
  const times = {};
  for (const name of awaited) times[name] = await window.when(name);
  await window.page.waitForTimeout(afterwards);
  const { tasks, shifts, paints } = await window.evaluate(() => {
    const { tasks, shifts, paints } = globalThis.hubbubProbe;
    return { tasks, shifts, paints };
  });
  const wire = window.fetched.reduce((sum, { bytes: each }) => sum + each, 0);
  await window.close();
  const first = paints["first-contentful-paint"] ?? 0;
  return {
    ...times,
    contentful: paints["largest-contentful-paint"],
    blocking: tasks.reduce((sum, { at, duration }) => sum + (at < first ? 0 : Math.max(0, duration - 50)), 0),
    longest: Math.max(0, ...tasks.map(({ duration }) => duration)),
    shift: shifts.reduce((sum, { value }) => sum + value, 0),
    shifted: shifts.filter(({ value }) => value > 0.01).flatMap(({ what }) => what),
    wire,
    fetched: window.fetched
      .filter(({ cached }) => !cached)
      .map(({ url: each, bytes: size }) => `${new URL(each).pathname} ${size}`),
  };
}

/** What is fetched until the list is there: the app and, beside it, what a conversation needs. */
async function bytes(browser, url, manifest) {
  const later = await filesOfConversation(manifest);
  const context = await newContext(browser);
  const window = await Window.open(context, `${url}/?as=ada`);
  await window.when("list");
  await window.page.waitForLoadState("load");
  const { pushed } = window;
  const files = window.fetched.filter(({ url: each }) => !/\/(dev|v1)\//.test(each));
  await context.close();
  const found = { requests: files.length, uncompressed: [], synced_bytes: pushed };
  for (const { url: each, coding } of files) {
    if (coding === "identity" && (await sizeOf(each, coding)) > SMALL) found.uncompressed.push(new URL(each).pathname);
  }
  for (const coding of ["br", "gzip"]) {
    const [initial, conversation] = [`initial_${coding}_bytes`, `conversation_${coding}_bytes`];
    Object.assign(found, { [initial]: 0, [conversation]: 0 });
    for (const file of files) {
      const isLater = later.has(new URL(file.url).pathname.slice(1));
      found[isLater ? conversation : initial] += await sizeOf(file.url, coding);
    }
  }
  return found;
}

/** Files that only the chunk of a conversation needs. */
async function filesOfConversation(manifest) {
  const chunks = JSON.parse(await readFile(manifest, "utf8"));
  const closure = (name, found = new Set(), seen = new Set()) => {
    const chunk = chunks[name];
    if (chunk === undefined || seen.has(name)) return found;
    seen.add(name);
    for (const file of [chunk.file, ...(chunk.css ?? [])]) found.add(file);
    for (const other of chunk.imports ?? []) closure(other, found, seen);
    return found;
  };
  const initial = closure("index.html");
  return new Set([...closure("src/app/Conversation.tsx")].filter((file) => !initial.has(file)));
}

/** Bytes of a body as the server sends it to somebody who takes this coding. */
function sizeOf(url, coding) {
  return new Promise((resolve, reject) => {
    get(url, { headers: { "accept-encoding": coding } }, async (response) => {
      let size = 0;
      for await (const data of response) size += data.length;
      resolve(size);
    }).on("error", reject);
  });
}
