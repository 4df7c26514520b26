/** The code of docs/how-to/typescript-chat.md runs as it stands. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Chat } from "../../src/chat.js";
import { Hubbub, memoryStorage } from "../../src/index.js";
import { World } from "./world.js";

const PAGE = resolve(import.meta.dirname, "../../../../docs/how-to/typescript-chat.md");

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.stop());

test("the page runs", async () => {
  const id = await world.group(["ada", "bob"], { name: "Release" });
  await world.say("bob", id, "hello");
  const code = [...readFileSync(PAGE, "utf8").matchAll(/^```ts\n(.*?)^```$/gms)]
    .map(([, each]) => each)
    .join("\n")
    .replace(/^import .*$/gm, "")
    .replace('"https://chat.example.com"', JSON.stringify(world.server.url));
  const said: unknown[][] = [];
  const given = {
    Hubbub: class extends Hubbub {
      constructor(url: string, options: object) {
        super(url, { ...options, WebSocket });
      }
    },
    Chat,
    indexedDbStorage: memoryStorage,
    fetchToken: () => world.server.token("ada"),
    render: () => undefined,
    ring: () => undefined,
    remind: () => undefined,
    console: { log: (...words: unknown[]) => said.push(words) },
  };
  const run = new Function(
    ...Object.keys(given),
    `return (async () => { ${code}\nreturn { items, found, bob, members, url, message }; })();`,
  ) as (...values: unknown[]) => Promise<{ [name: string]: { [field: string]: unknown } }>;
  const made = await run(...Object.values(given));
  expect(said).toEqual([["Release", 1, "bob"], [1]]);
  expect(made.bob).toMatchObject({ id: "bob" });
  expect(made.members).toHaveLength(2);
  expect(made.message).toMatchObject({ mentions: { users: ["bob"] } });
  const { messages } = await world.call("messages.list", { conversation: id }, "bob");
  expect(messages.map((each) => each.parts?.[0])).toMatchObject([
    { text: "hello" },
    { text: "Ship it today?" },
    { text: "Here it is." },
  ]);
  expect(messages[1]).toMatchObject({ replies: 1, reactions: [{ name: "+1", users: ["ada"] }] });
});
