// An hour of somebody's day, again and again: what stays in memory when all that was open is closed.

import { DESKTOP, newContext, Window } from "./chromium.mjs";
import { PLACES } from "./probe.mjs";
import { steepness } from "./slopes.mjs";

const WORDS = ["clock", "release", "coffee"];
/** Messages of demo-general that have replies are near its end. */
const THREAD = 'main [role="log"] a[href*="/t/"]';

/**
 * After `lap` rounds, in each of which another conversation is opened, the same ones come again. Before the first reading
 * there are `warm` rounds: what is loaded once is loaded, and what is kept is full. `settle`: milliseconds before a reading.
 */
export async function hour(browser, { url, rounds, warm, lap, settle }) {
  const context = await newContext(browser, { ...DESKTOP, probed: false }); // what it notes would be taken for a leak
  const window = await Window.open(context, `${url}/?as=ada`);
  await window.page.locator(PLACES.list).first().waitFor();
  await window.go("#/c/demo-general");
  await window.messages.first().waitFor();
  await window.log.hover();
  while ((await window.page.locator(THREAD).count()) === 0) await window.page.mouse.wheel(0, -300);
  const thread = await window.page.locator(THREAD).last().getAttribute("href");
  const readings = [];
  for (let round = -warm; round < rounds; round++) {
    if (round % lap === 0) {
      const reading = { round, ...(await atRest(window, settle)) };
      if (round >= 0) readings.push(reading);
    }
    await oneRound(window, {
      number: round + warm,
      room: `demo-project-${String((round + warm) % lap).padStart(4, "0")}`,
      thread,
    });
  }
  readings.push({ round: rounds, ...(await atRest(window, settle)) });
  const { faults } = window;
  await window.context.close();
  const slope = (name) => steepness(readings.map((each) => [each.round, each[name]]));
  return {
    rounds,
    heap_bytes: readings.at(-1).heap,
    heap_bytes_per_round: slope("heap"),
    nodes_per_round: slope("nodes"),
    listeners_per_round: slope("listeners"),
    nodes_at_rest: readings.at(-1).nodes,
    listeners_at_rest: readings.at(-1).listeners,
    elements_at_rest: readings.at(-1).elements,
    readings,
    faults,
  };
}

/** Everything closed, garbage collected. */
async function atRest(window, settle) {
  await window.go("#/settings");
  await window.page.getByRole("main").getByRole("log").waitFor({ state: "detached" });
  await window.page.waitForTimeout(settle); // timers that end, toasts that go
  return window.alive();
}

async function oneRound(window, { number, room, thread }) {
  const { page } = window;
  // Another conversation, up and down in it.
  await window.go(`#/c/${room}`);
  await window.messages.first().waitFor();
  await window.log.hover();
  for (const notch of [-800, -800, 800, 800, 800]) await page.mouse.wheel(0, notch);
  // Write in it.
  const text = `round ${number} of the day`;
  await window.composer.click();
  await window.composer.pressSequentially(text);
  await page.keyboard.press("Enter");
  await window.messages.filter({ hasText: text }).last().and(page.locator("[data-seq]")).waitFor();
  // A thread of the long one, beside it.
  await window.go(thread);
  const aside = page.getByRole("complementary");
  await aside.getByRole("article").nth(1).waitFor();
  await window.messages.first().waitFor();
  await window.log.hover();
  for (let times = 0; times < 5; times++) await page.mouse.wheel(0, -1500);
  await window.go(thread.replace(/\/t\/.*/, ""));
  await aside.waitFor({ state: "detached" });
  // Look for something, and go away.
  await window.go(`#/search?${new URLSearchParams({ q: WORDS[number % WORDS.length] })}`);
  await page.getByRole("main").locator('a[href*="/m/"]').first().waitFor();
}
