// Through a long conversation to its first message, while it is read page by page, and back.

import { newContext, percentile, Window } from "./chromium.mjs";

const FRAME = 1000 / 60; // milliseconds
const NOTCH = 600; // pixels of a turn of the wheel

/** `length` messages are to be passed, or all there are; `patience` is in milliseconds. */
export async function scrolling(browser, { url, length, patience }) {
  const context = await newContext(browser);
  const window = await Window.open(context, `${url}/?as=ada#/c/demo-general`);
  await window.when("message");
  const newest = await window.evaluate(() =>
    Math.max(...[...document.querySelectorAll("main [role=log] article[data-seq]")].map(({ dataset }) => dataset.seq)),
  );
  const goal = Math.max(1, newest - length + 1);
  const up = await pass(window, -NOTCH, patience, (lowest) => lowest <= goal);
  const bottom = () => window.log.evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight < 300);
  const down = await pass(window, NOTCH, patience, bottom);
  const { faults } = window;
  if (up.lowest > goal)
    throw new Error(`only ${newest - up.lowest + 1} of ${length} messages in ${up.seconds.toFixed(0)} s`);
  await context.close();
  return {
    passed: newest - up.lowest + 1,
    up_p50_ms: percentile(up.frames, 0.5),
    up_p95_ms: percentile(up.frames, 0.95),
    up_max_ms: Math.max(...up.frames),
    up_dropped_percent: dropped(up.frames),
    up_blank_percent: (100 * up.blank) / up.looked,
    up_seconds: up.seconds,
    down_p50_ms: percentile(down.frames, 0.5),
    down_p95_ms: percentile(down.frames, 0.95),
    down_max_ms: Math.max(...down.frames),
    down_dropped_percent: dropped(down.frames),
    down_blank_percent: (100 * down.blank) / down.looked,
    down_seconds: down.seconds,
    elements: Math.max(...up.nodes, ...down.nodes),
    faults,
  };
}

/** Share of the frames of 60 Hz that were not shown because one before took too long. */
function dropped(frames) {
  const missed = frames.reduce((sum, time) => sum + Math.max(0, Math.round(time / FRAME) - 1), 0);
  return (100 * missed) / (missed + frames.length);
}

async function pass(window, notch, patience, isThere) {
  const box = await window.log.boundingBox();
  await window.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  const watch = await window.page.evaluateHandle(() => globalThis.hubbubProbe.watchFrames());
  const began = performance.now();
  while (performance.now() - began < patience) {
    for (let times = 0; times < 5; times++) await window.page.mouse.wheel(0, notch);
    if (await isThere(await watch.evaluate(({ found }) => found.lowest))) break;
  }
  const seconds = (performance.now() - began) / 1000;
  return { ...(await watch.evaluate((each) => each.stop())), seconds };
}
