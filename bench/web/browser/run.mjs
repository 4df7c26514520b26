// One measurement after the other. usage: node run.mjs PLAN, a JSON object of what each is told; prints one of figures.

import { launch } from "./chromium.mjs";
import { drops } from "./drops.mjs";
import { hour } from "./hour.mjs";
import { loads } from "./loads.mjs";
import { scrolling } from "./scrolling.mjs";
import { sending } from "./sending.mjs";

const MEASURES = { loads, scrolling, sending, drops, hour };

const plan = JSON.parse(process.argv[2]);
const browser = await launch();
const found = { chromium: browser.version() };
try {
  for (const [name, options] of Object.entries(plan.measures)) {
    const began = performance.now();
    found[name] = await MEASURES[name](browser, { ...options, url: plan.url, manifest: plan.manifest });
    console.error(`${name}: ${((performance.now() - began) / 1000).toFixed(0)} s`);
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(found));
