// Connections that break: how long until one hears again what others say, and until what one wrote is sent.

import { connect, createServer } from "node:net";

import { newContext, percentile, Window, within } from "./chromium.mjs";

/**
 * `times` of each kind; `away`: milliseconds of those without a way through. `calm`: milliseconds before each, for a
 * connection that has just come back and breaks again counts as one more attempt that has failed.
 */
export async function drops(browser, { url, times, away, calm }) {
  const line = await Line.open(new URL(url).port);
  const ada = await Window.open(await newContext(browser), `${line.url}/?as=ada#/c/demo-general`);
  const bob = await Window.open(await newContext(browser), `${url}/?as=bob#/c/demo-general`);
  await Promise.all([ada.when("message"), bob.when("message")]);
  for (const window of [ada, bob]) await window.say("I am here");
  const [blinks, outages] = [[], []];
  for (let count = 0; count < times; count++) {
    await ada.page.waitForTimeout(calm);
    blinks.push(await drop(ada, bob, line, `blink ${count}`, 0));
    await ada.page.waitForTimeout(calm);
    outages.push(await drop(ada, bob, line, `outage ${count}`, away));
  }
  const known = await ada.messages.count();
  await Promise.all([ada.context.close(), bob.context.close()]);
  await line.close();
  return {
    drops: 2 * times,
    shown_after_drops: known,
    cut_p50_ms: percentile(blinks, 0.5),
    cut_p95_ms: percentile(blinks, 0.95),
    outage_p50_ms: percentile(outages, 0.5),
    outage_p95_ms: percentile(outages, 0.95),
  };
}

/** Milliseconds from the end of a drop of so many until what both wrote meanwhile is with the other. */
async function drop(ada, bob, line, text, lasts) {
  const said = [
    [ada, `${text} of Ada`, bob],
    [bob, `${text} of Bob`, ada],
  ];
  const arrived = said.map(([, words, other]) =>
    other.evaluate((wanted) => globalThis.hubbubProbe.heard(wanted), words),
  );
  for (const [window, words] of said) await window.composer.fill(words);
  line.closed = lasts > 0;
  line.cut();
  const ends = Date.now() + lasts;
  for (const [window] of said) await window.composer.press("Enter");
  await ada.page.waitForTimeout(Math.max(0, ends - Date.now()));
  line.closed = false;
  return Math.max(...(await within(60, Promise.all(arrived), text))) - ends;
}

/** A way to the server that can be cut and closed. */
class Line {
  closed = false;
  #sockets = new Set();

  static async open(port) {
    const line = new Line();
    line.#server = createServer((near) => {
      if (line.closed) return void near.destroy();
      const far = connect(Number(port), "127.0.0.1");
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ]) {
        line.#sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => {
          line.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
    await new Promise((resolve) => line.#server.listen(0, "127.0.0.1", resolve));
    line.url = `http://127.0.0.1:${line.#server.address().port}`;
    return line;
  }

  #server;

  /** End all connections as a network does that is gone. */
  cut() {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close() {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
