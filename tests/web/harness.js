// A real `hubbub serve --dev` with conversations, and the web app in a real Chromium, for one test file.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

// Chromium's driver and axe are installed once, in tests/browser.
const require = createRequire(new URL("../browser/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const AXE = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");

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

/** A development server with conversations. It runs in a directory of its own, which a restart finds again. */
export class Server {
  static async start({ settings = [] } = {}) {
    const server = new Server();
    server.settings = settings;
    server.directory = await mkdtemp(join(tmpdir(), "hubbub-web-"));
    await server.launch(0);
    return server;
  }

  async launch(port) {
    const settings = ["chat.enabled=true", "chat.presence_grace=0.5", ...this.settings];
    const command = ["-m", "hubbub", "serve", "--dev", "--port", String(port)];
    const environment = { ...process.env, PYTHONUNBUFFERED: "1", NO_COLOR: "1" };
    const all = [...command, ...settings.flatMap((each) => ["--set", each])];
    this.process = spawn(PYTHON, all, { cwd: this.directory, env: environment });
    this.errors = "";
    this.process.stderr.on("data", (data) => {
      this.errors += data;
    });
    for await (const line of createInterface({ input: this.process.stdout })) {
      const address = /address +(http:\/\/127\.0\.0\.1:(\d+))/.exec(line);
      if (address) {
        this.url = `${address[1]}/`;
        this.port = Number(address[2]);
      }
      if (/^hubbub_/.test(line)) {
        this.key = line.trim();
        this.process.stdout.resume();
        return;
      }
    }
    throw new Error(`the server did not start:\n${this.errors}`);
  }

  /** An operation by the server API, as `user` or as the server itself. */
  async call(method, path, body, user) {
    const response = await fetch(new URL(`v1${path}`, this.url), {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        "content-type": "application/json",
        ...(user === undefined ? {} : { "hubbub-user": user }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  user(id, name) {
    return this.call("PUT", `/users/${id}`, { name });
  }

  /** Make a conversation of `owner`'s; its id. */
  async conversation(owner, kind, name, members, more = {}) {
    const body = { kind, name, members: members.map((user) => ({ user })), ...more };
    return (await this.call("POST", "/conversations", body, owner)).conversation.id;
  }

  /** Find or make the direct conversation of two; its id. */
  async direct(user, other) {
    return (await this.call("PUT", `/conversations/direct/${other}`, undefined, user)).conversation.conversation.id;
  }

  /** Upload a file as `user`; its id. */
  async file(user, name, data) {
    const headers = { authorization: `Bearer ${this.key}`, "hubbub-user": user };
    const address = new URL(`v1/uploads?name=${encodeURIComponent(name)}`, this.url);
    const response = await fetch(address, { method: "POST", headers, body: data });
    const text = await response.text();
    assert.ok(response.ok, `${name}: ${text}`);
    return JSON.parse(text).id;
  }

  /** Send a message; as the server has it. */
  async say(user, conversation, text, more = {}) {
    const body = { parts: [{ type: "text", text, format: "markdown" }], ...more };
    return (await this.call("POST", `/conversations/${conversation}/messages`, body, user)).message;
  }

  /** End it as a crash would: nobody is told. */
  async kill() {
    const ended = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await ended;
  }

  async stop() {
    if (this.process.exitCode === null && this.process.signalCode === null) await this.kill();
    await rm(this.directory, { recursive: true });
  }
}

export const launchBrowser = () => chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });

/** One person's window, and everything it did that it should not have. */
export class Window {
  /**
   * `path` is what follows the server's address: `?as=ada#/threads`. `settings` are those of the app; `prepare` does
   * something with the page before it is loaded.
   */
  static async open(browser, server, path, { settings, prepare, ...options } = {}) {
    const window = new Window();
    window.server = server;
    window.context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options });
    window.context.setDefaultTimeout(PATIENCE);
    const page = (window.page = await window.context.newPage());
    window.faults = [];
    window.origins = new Set();
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) window.faults.push(message.text());
    });
    page.on("pageerror", (error) => window.faults.push(String(error)));
    page.on("request", (request) => request.url().startsWith("blob:") || window.origins.add(new URL(request.url()).origin));
    page.on("websocket", (socket) => window.origins.add(new URL(socket.url()).origin.replace("ws", "http")));
    await page.addInitScript((stored) => {
      addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective}`));
      if (stored !== null && localStorage.getItem("hubbub:settings") === null) {
        localStorage.setItem("hubbub:settings", stored);
      }
    }, settings === undefined ? null : JSON.stringify(settings));
    await prepare?.(page);
    await page.goto(new URL(path, server.url).href);
    return window;
  }

  /** Sign in as `user` and wait until its conversations are there. */
  static async of(browser, server, user, { at = "", ...options } = {}) {
    const window = await Window.open(browser, server, `?as=${encodeURIComponent(user)}${at}`, options);
    await window.page.getByRole("navigation", { name: "Conversations" }).waitFor();
    return window;
  }

  /** The same at `at`, until the end of the test `t`; with what is wanted most of a conversation. */
  static async during(t, browser, server, user, at, options) {
    const window = await Window.of(browser, server, user, { at, ...options });
    t.after(() => window.close());
    const { page } = window;
    return {
      window,
      page,
      field: page.getByRole("textbox", { name: /^Message / }),
      message: (text) => page.getByRole("article").filter({ hasText: text }),
    };
  }

  /** The row of a conversation in the list, by its title. */
  row(title) {
    return this.page.locator("#conversations a").filter({ hasText: title });
  }

  /** Wait until `read` gives `expected`. */
  async becomes(read, expected) {
    let found;
    for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; ) {
      found = await read();
      if (JSON.stringify(found) === JSON.stringify(expected)) return;
      await this.page.waitForTimeout(25);
    }
    assert.deepEqual(found, expected);
  }

  /** What has the focus: its role or tag, and its name. */
  focused() {
    return this.page.evaluate(() => {
      const { activeElement: element } = document;
      const name = element?.getAttribute("aria-label") ?? element?.textContent ?? "";
      return `${element?.getAttribute("role") ?? element?.localName}: ${name.slice(0, 40)}`;
    });
  }

  /**
   * axe finds nothing serious, and no colours that are hard to read in the dark. What it is told to pass over is said by
   * its id. `dark: false`: colours are as they were in another view that was looked at.
   */
  async assertAccessible(what, { passOver = [], dark = true } = {}) {
    for (const colorScheme of dark ? ["light", "dark"] : ["light"]) {
      await this.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const faults = this.faults.length;
      await this.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))));
      if (!(await this.page.evaluate(() => "axe" in globalThis))) await this.page.evaluate(AXE);
      const { passes, violations } = await this.page.evaluate((onlyColours) => {
        const rules = onlyColours ? { runOnly: ["color-contrast"] } : {};
        return globalThis.axe.run({ ...rules, resultTypes: ["violations"] });
      }, colorScheme === "dark");
      this.faults.splice(faults); // axe itself makes functions of strings, which the policy refuses
      assert.ok(passes.length > (colorScheme === "dark" ? 0 : 10), "axe has looked at the page");
      const serious = violations.filter(
        ({ id, impact }) => ["serious", "critical"].includes(impact) && !passOver.includes(id),
      );
      const said = serious.map(
        ({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html} ${any[0]?.message ?? ""}`).join(" ")}`,
      );
      assert.deepEqual(said, [], `${what}, ${colorScheme}`);
    }
  }

  /** Nothing in the console, no violation of the policy, and nobody asked but this server. */
  assertClean() {
    assert.deepEqual(this.faults, []);
    assert.deepEqual([...this.origins], [new URL(this.server.url).origin]);
  }

  close() {
    return this.context.close();
  }
}
