// Chromium, its windows, and what it counts of them.

import { createRequire } from "node:module";

import { PLACES, probe } from "./probe.mjs";

// Chromium's driver is installed once, in tests/browser.
const require = createRequire(new URL("../../../tests/browser/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const PATIENCE = 60_000; // milliseconds, for anything that is awaited
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];
const DESKTOP = { viewport: { width: 1280, height: 800 } };
/** A cheap phone on slow 4G, as Lighthouse has it. */
const PHONE = {
  viewport: { width: 390, height: 844 },
  hasTouch: true,
  isMobile: true,
  slow: { cpu: 4, latency: 150, bytesPerSecond: (1.6 * 1024 * 1024) / 8 },
};

export const launch = () => chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
export { DESKTOP, PHONE };

/** A browser without anything cached: windows of it share a cache. */
export async function newContext(browser, { viewport, hasTouch = false, isMobile = false, probed = true } = DESKTOP) {
  const context = await browser.newContext({ viewport, hasTouch, isMobile, locale: "en-GB" });
  context.setDefaultTimeout(PATIENCE);
  if (probed) await context.addInitScript(probe, PLACES);
  return context;
}

/** One window: what it fetches, and what Chromium counts of it. */
export class Window {
  static async open(context, url, { slow } = {}) {
    const window = new Window();
    window.context = context;
    window.page = await context.newPage();
    window.faults = [];
    window.page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) window.faults.push(message.text());
    });
    window.page.on("pageerror", (error) => window.faults.push(String(error)));
    window.cdp = await context.newCDPSession(window.page);
    window.#watchNetwork();
    await window.cdp.send("Network.enable");
    await window.cdp.send("Performance.enable");
    if (slow !== undefined) await window.#slowDown(slow);
    await window.page.goto(url, { waitUntil: "commit" });
    return window;
  }

  #watchNetwork() {
    const asked = new Map();
    this.fetched = [];
    this.pushed = 0;
    this.cdp.on("Network.responseReceived", ({ requestId, response }) => {
      const { url, fromDiskCache, headers } = response;
      asked.set(requestId, { url, cached: fromDiskCache, coding: headers["content-encoding"] ?? "identity" });
    });
    this.cdp.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
      const response = asked.get(requestId);
      if (response?.url.startsWith("http")) this.fetched.push({ ...response, bytes: encodedDataLength });
    });
    this.cdp.on("Network.webSocketFrameReceived", ({ response }) => {
      this.pushed += response.payloadData.length;
    });
  }

  async #slowDown({ cpu, latency, bytesPerSecond }) {
    await this.cdp.send("Emulation.setCPUThrottlingRate", { rate: cpu });
    await this.cdp.send("Network.emulateNetworkConditions", {
      offline: false,
      latency,
      downloadThroughput: bytesPerSecond,
      uploadThroughput: bytesPerSecond / 2,
    });
  }

  /** Milliseconds since the navigation until one of PLACES was there. */
  async when(name) {
    const found = await this.page.waitForFunction((key) => globalThis.hubbubProbe.seen[key], name);
    return found.jsonValue();
  }

  evaluate(run, argument) {
    return this.page.evaluate(run, argument);
  }

  /** Go to a place of the app. */
  go(hash) {
    return this.evaluate((to) => {
      location.hash = to;
    }, hash);
  }

  get log() {
    return this.page.getByRole("main").getByRole("log");
  }

  get messages() {
    return this.log.locator("article[data-seq]");
  }

  get composer() {
    return this.page.getByRole("main").locator("textarea").last();
  }

  /** Write, and wait until the server has it: one is at the end then, wherever one has begun to read. */
  async say(text) {
    await this.composer.fill(text);
    await this.composer.press("Enter");
    await this.messages.filter({ hasText: text }).last().waitFor();
  }

  /** What is alive after garbage was collected: bytes, nodes (also those that are in no document), listeners. */
  async alive() {
    for (let times = 0; times < 2; times++) await this.cdp.send("HeapProfiler.collectGarbage");
    const { metrics } = await this.cdp.send("Performance.getMetrics");
    const of = Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
    return {
      heap: of.JSHeapUsedSize,
      nodes: of.Nodes,
      listeners: of.JSEventListeners,
      documents: of.Documents,
      elements: await this.evaluate(() => document.getElementsByTagName("*").length),
    };
  }

  close() {
    return this.page.close();
  }
}

/** What is promised, or an error when it does not come in so many seconds. */
export async function within(seconds, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not seen within ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export const median = (values) => percentile(values, 0.5);

export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
