// Plays scenarios with the stock client, one after the other, and prints a line of JSON for each.
// usage: node run.js URL FILE[:NAME][,FILE...] '{"transport": "polling", "parser": "msgpack", "path": "/x", "direct": URL}'
//
// FILE is one of scenarios/, without its ending; each function that it exports is a scenario. What one returns is
// printed as its result. Lines with "ask" are for the program that started us: it does that, and answers by a line.

import { createInterface } from "node:readline";

import { PATIENCE, Stage, control, within } from "./stage.js";

const [url, what, json = "{}"] = process.argv.slice(2);
const options = JSON.parse(json);
const lines = createInterface({ input: process.stdin });
const asking = control(lines);

process.on("unhandledRejection", (error) => {
  console.error(error);
  process.exit(1);
});

for (const part of what.split(",")) {
  const [file, only] = part.split(":");
  for (const [name, play] of Object.entries(await import(`./scenarios/${file}.js`))) {
    if (only ? name !== only : play.only && !play.only.includes(options.transport)) continue;
    const stage = new Stage(url, options, asking);
    const began = performance.now();
    const done = { scenario: name };
    try {
      done.result = (await within(play(stage), "its end", play.patience ?? 2 * PATIENCE)) ?? null;
    } catch (error) {
      done.error = error.stack;
    }
    stage.close();
    done.milliseconds = Math.round(performance.now() - began);
    console.log(JSON.stringify(done));
  }
}
process.exit(0);
