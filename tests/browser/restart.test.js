// The server dies and comes back on its port: clients return by themselves, and say what they cannot know.

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

test("after a crash both clients come back, with a gap because the log was in memory", async (t) => {
  const page = await Playground.open(browser, server.url);
  t.after(() => page.close());
  await page.enter("crash");
  const { left, right } = page;
  await left.say("before");
  await right.reads("before");
  await server.kill();
  await left.state("Offline · trying again");
  await right.state("Offline · trying again");
  await right.say("while it was down");
  await server.launch(server.port);
  await left.state("Live · gap");
  await right.state("Live · gap");
  await left.shows("[data-entry=divider]", ["Gap: messages may be missing here (the channel's log began anew)"]);
  await right.reads("before", "while it was down"); // kept by the client, and published when it could be
  await left.sees("alice", "bob");
  const { length } = await left.messages.all(); // two or three: who of the two came back first?
  await right.say("after");
  await left.find("[data-body]").nth(length).getByText("after").waitFor();
});

test("after a restart both clients come back, and nothing that was retained is lost", async (t) => {
  const page = await Playground.open(browser, server.url);
  t.after(() => page.close());
  await page.enter("restart");
  const { left, right } = page;
  await left.say("before");
  await right.reads("before");
  await server.terminate();
  await right.say("while it was down");
  await server.launch(server.port);
  await left.reads("before", "while it was down");
  await right.reads("before", "while it was down");
  await left.shows("[data-entry=divider][data-tone=bad]", []);
});
