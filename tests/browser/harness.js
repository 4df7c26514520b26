// A real `hubbub serve --dev` without conversations and a real Chromium, for one test file: own port, own profile.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const PYTHON = process.env.PYTHON ?? "python3";
const PATIENCE = 15_000; // milliseconds, for anything that is awaited
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** A development server. It runs in a directory of its own, which a restart finds again. */
export class Server {
  static async start() {
    const server = new Server();
    server.directory = await mkdtemp(join(tmpdir(), "hubbub-browser-"));
    await server.launch(0);
    return server;
  }

  async launch(port) {
    const settings = ["--set", "chat.enabled=false", "--set", "sessions.presence_grace=0.5"]; // not three seconds
    const command = ["-m", "hubbub", "serve", "--dev", "--port", String(port), ...settings];
    const environment = { ...process.env, PYTHONUNBUFFERED: "1", NO_COLOR: "1" };
    this.process = spawn(PYTHON, command, { cwd: this.directory, env: environment });
    this.errors = "";
    this.process.stderr.on("data", (data) => (this.errors += data));
    for await (const line of createInterface({ input: this.process.stdout })) {
      const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
      if (found) {
        this.port = Number(found[1]);
        this.url = `${found[0]}/`;
        this.process.stdout.resume();
        return;
      }
    }
    throw new Error(`the server did not start:\n${this.errors}`);
  }

  /** End it as a crash would: nobody is told. */
  async kill() {
    const ended = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await ended;
  }

  /** Stop it as an operator would: it says good-bye and keeps its logs. */
  async terminate() {
    const ended = once(this.process, "exit");
    this.process.kill("SIGTERM");
    await ended;
  }

  async stop() {
    if (this.process.exitCode === null && this.process.signalCode === null) await this.kill();
    await rm(this.directory, { recursive: true });
  }
}

export const launchBrowser = () => chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });

/** The page for developers in a context of its own, and everything it did that it should not have. */
export class Playground {
  static async open(browser, url, options = {}) {
    const playground = new Playground();
    const viewport = { width: 1280, height: 900 };
    playground.context = await browser.newContext({ viewport, locale: "en-GB", ...options });
    playground.context.setDefaultTimeout(PATIENCE);
    const page = (playground.page = await playground.context.newPage());
    playground.faults = [];
    playground.origins = new Set();
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) playground.faults.push(message.text());
    });
    page.on("pageerror", (error) => playground.faults.push(String(error)));
    page.on("request", (request) => playground.origins.add(new URL(request.url()).origin));
    page.on("websocket", (socket) => playground.origins.add(new URL(socket.url()).origin.replace("ws", "http")));
    page.on("dialog", (dialog) => {
      playground.faults.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    await page.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective}`));
    });
    await page.goto(new URL("playground", url).href); // old links lead there
    playground.channel = page.getByRole("textbox", { name: "Channel" }).first();
    [playground.left, playground.right] = [new Client(page, 0), new Client(page, 1)];
    return playground;
  }

  /** Nothing in the console, no violation, and nobody asked but this server. */
  assertClean(url) {
    assert.deepEqual(this.faults, []);
    assert.deepEqual([...this.origins], [new URL(url).origin]);
  }

  /** Go to a channel that no other test is in. */
  async enter(channel) {
    await this.go(channel);
    await this.left.sees("alice", "bob");
    await this.right.sees("alice", "bob");
  }

  async go(channel) {
    await this.channel.fill(channel);
    await this.channel.press("Enter");
  }

  close() {
    return this.context.close();
  }
}

const MESSAGES = "[data-entry=publication], [data-entry=waiting], [data-entry=failed]";

/** One of the two clients on the page. Whatever is awaited has PATIENCE to come true. */
export class Client {
  constructor(page, at) {
    this.page = page;
    this.root = page.locator(`[data-client="${at}"]`);
    this.field = this.root.getByRole("textbox", { name: "Message" });
    this.name = this.root.getByRole("textbox", { name: "User name" });
    this.transport = this.root.getByRole("combobox", { name: "Transport" });
    this.network = this.root.getByRole("button", { name: /the network$/ });
    this.messages = this.root.locator(MESSAGES);
    this.frames = this.root.locator("[data-fold=frames]");
    this.commands = this.root.locator("[data-fold=commands]");
    this.filter = this.frames.getByRole("combobox", { name: "Show" });
  }

  find(selector) {
    return this.root.locator(selector);
  }

  async state(text) {
    await this.find("[data-state]")
      .filter({ hasText: new RegExp(`^${text}$`) })
      .waitFor();
  }

  async say(text) {
    await this.field.fill(text);
    await this.field.press("Enter");
  }

  async rename(name) {
    await this.name.fill(name);
    await this.name.press("Enter");
  }

  /** Wait until the texts of `selector` are exactly `expected`, in this order. */
  async shows(selector, expected) {
    const read = () => this.find(selector).allInnerTexts();
    for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; ) {
      if (JSON.stringify(await read()) === JSON.stringify(expected)) return;
      await this.page.waitForTimeout(25);
    }
    assert.deepEqual(await read(), expected);
  }

  reads(...texts) {
    return this.shows("[data-body]", texts);
  }

  sees(...users) {
    return this.shows("[data-presence] [data-member]", users);
  }

  types(...types) {
    return this.shows("[data-frame] [data-type]", types);
  }

  press(name) {
    return this.root.getByRole("button", { name, exact: true }).click();
  }

  async open(fold) {
    await this.find(`[data-fold=${fold}] > summary`).click();
  }

  /** Choose a command, fill in its fields by their labels, and send it. The folder of commands must be open. */
  async send(command, fields = {}) {
    await this.commands.getByRole("combobox", { name: "Command" }).selectOption(command);
    for (const [label, text] of Object.entries(fields)) await this.commands.getByLabel(label).fill(text);
    await this.commands.getByRole("button", { name: "Send command" }).click();
  }

  sendRaw(command) {
    return this.send("Any command", { "Command as JSON": JSON.stringify(command) });
  }

  /** The newest exchange, when it says `text`. */
  async answer(text) {
    await this.find("[data-answer]").first().filter({ hasText: text }).waitFor();
  }
}
