// What goes over the wire is listed, and any command can be sent: its reply or refusal says what came of it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, Playground, Server } from "./harness.js";

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function playground(t, channel) {
  const opened = await Playground.open(browser, server.url, { permissions: ["clipboard-read", "clipboard-write"] });
  t.after(() => opened.close());
  await opened.enter(channel);
  return opened;
}

test("frames can be seen, filtered, searched, paused, opened, copied and cleared", async (t) => {
  const page = await playground(t, "frames");
  const { left } = page;
  const copied = () => page.page.evaluate(() => navigator.clipboard.readText());
  await left.open("frames");
  await left.say("seen");
  await left.reads("seen");
  await left.filter.selectOption("publication");
  await left.types("publication");
  await left.find("[data-frame] summary").click();
  assert.match(await left.find("[data-frame] pre").innerText(), /"text": "seen"/);
  await left.press("Copy this frame");
  await left.find("[data-frame]").getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(JSON.parse(await copied()).data.text, "seen");
  await left.press("Pause");
  await left.say("not shown yet");
  await left.reads("seen", "not shown yet");
  await left.types("publication");
  await left.press("Resume");
  await left.types("publication", "publication");
  const before = await copied();
  await left.press("Copy all");
  while ((await copied()) === before) await page.page.waitForTimeout(25);
  const lines = (await copied()).split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line.slice(line.indexOf(" < ") + 3)).data.text), ["seen", "not shown yet"]);
  const search = left.frames.getByRole("textbox", { name: "Search in frames" });
  await search.fill("not shown");
  await left.types("publication");
  await search.fill("");
  await left.types("publication", "publication");
  await left.press("Clear");
  await left.types();
  page.assertClean(server.url);
});

test("every command is sent by the SDK, and answered with its reply or its refusal", async (t) => {
  const page = await playground(t, "commands");
  const { left, right } = page;
  await left.open("frames");
  await left.open("commands");
  await left.send("Publish", { "Event": "order.paid", "Data (JSON)": '{"id": 7}' });
  await left.answer(/publish commands[^]*"offset": 1/);
  await right.reads(JSON.stringify({ id: 7 }, null, 2));
  await left.send("History");
  await left.answer(/history commands[^]*"event": "order.paid"/);
  await left.send("Presence");
  await left.answer(/presence commands[^]*"user": "bob"/);
  await left.send("Subscribe", { Channel: "elsewhere" });
  await left.answer(/subscribe elsewhere[^]*"recoverable": true/);
  await left.send("Publish", { "Data (JSON)": '"over there"' });
  await left.reads(JSON.stringify({ id: 7 }, null, 2), "over there");
  await right.reads(JSON.stringify({ id: 7 }, null, 2));
  await left.press("Unsubscribe from elsewhere");
  await left.answer("unsubscribe elsewhere");
  await left.send("Call a method", { Method: "nothing.here", "Params (JSON)": "" });
  await left.answer(/106\s*method_not_found[^]*Register a handler/);
  await left.sendRaw({ type: "history", channel: "commands", limit: 1 });
  await left.filter.selectOption("result");
  await left.find("[data-frame]").filter({ hasText: "publications: 1" }).first().waitFor();
  await left.sendRaw({ type: "nonsense" });
  await left.answer(/107\s*bad_request[^]*nonsense/);
  await left.send("Any command", { "Command as JSON": "{" });
  await left.commands.getByRole("alert").filter({ hasText: "Not JSON" }).waitFor();
  page.assertClean(server.url);
});

test("who is refused is told why, with the number, and comes in by a token", async (t) => {
  const page = await playground(t, "tokens");
  const { right } = page;
  const identity = right.root.getByRole("combobox", { name: "Identity" });
  await identity.selectOption("Anonymous");
  await right.root.getByRole("alert").filter({ hasText: /101\s*unauthenticated/ }).waitFor();
  const token = await page.page.evaluate(async () => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch("dev/token", { method: "POST", headers, body: '{"user": "dora"}' });
    return (await answer.json()).token;
  });
  await identity.selectOption("Token");
  await right.root.getByRole("textbox", { name: "Token" }).fill("no.such.token");
  await right.press("Connect");
  await right.root.getByRole("alert").filter({ hasText: /102\s*invalid_token/ }).waitFor();
  await right.root.getByRole("textbox", { name: "Token" }).fill(token);
  await right.press("Connect");
  await right.state("Live");
  await page.left.sees("alice", "dora");
});

test("the token and the session's secret are not shown", async (t) => {
  const page = await playground(t, "secrets");
  const { left } = page;
  await left.open("frames");
  for (const type of ["connect", "connected"]) {
    await left.filter.selectOption(type);
    await left.find("[data-frame] summary").click();
    const shown = await left.find("[data-frame] pre").innerText();
    assert.match(shown, /"(token|secret)": ".{6}… \(\d+ characters\)"/);
    assert.doesNotMatch(shown, /"[\w.-]{40,}"/);
  }
});

test("lists are bounded", async (t) => {
  const page = await playground(t, "many");
  const { left } = page;
  await left.open("frames");
  await page.page.evaluate(async () => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch("dev/token", { method: "POST", headers, body: '{"user": "flood"}' });
    const { token } = await answer.json();
    const socket = new WebSocket(new URL("v1/ws", location.href.replace("http", "ws")), "hubbub.v1.json");
    const reply = () => new Promise((resolve) => (socket.onmessage = ({ data }) => resolve(data)));
    await new Promise((resolve) => (socket.onopen = resolve));
    socket.send(JSON.stringify({ type: "connect", id: 1, token }));
    await reply();
    for (let sent = 0; sent < 520; sent += 40) {
      const lines = Array.from({ length: 40 }, (_, n) =>
        JSON.stringify({ type: "publish", id: sent + n + 2, channel: "many", event: "message", data: `${sent + n}` }),
      );
      let left = 40;
      const done = new Promise((resolve) => {
        socket.onmessage = ({ data }) => (left -= data.trim().split("\n").length) <= 0 && resolve();
      });
      for (const line of lines) socket.send(line);
      await done;
    }
    socket.close(1000);
  });
  await left.find("[data-body]").getByText("519", { exact: true }).waitFor();
  assert.equal(await left.messages.count(), 500);
  assert.equal(await left.find("[data-frame]").count(), 500);
});
