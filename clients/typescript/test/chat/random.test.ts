/** Whatever users do: each device shows what a fresh one does, and what REST says. */

import { afterAll, beforeAll, expect, test } from "vitest";
import type { HubbubError } from "../../src/index.js";
import { FaultProxy } from "../proxy.js";
import { act, chance } from "./acts.js";
import { agree, byDevice, differences, Lists } from "./plain.js";
import { type Device, World } from "./world.js";

const SEEDS = Number(process.env.HUBBUB_SEEDS ?? 3);
const ROUNDS = Number(process.env.HUBBUB_ROUNDS ?? 6);
const USERS = ["ada", "bob", "cid"];

let world: World;
beforeAll(async () => {
  world = await World.start({
    settings: {
      "chat.receipts_interval": 0.02,
      "chat.sync_events": 12,
      "chat.sync_conversations": 3,
    },
  });
});
afterAll(() => world.stop());

test.each(Array.from({ length: SEEDS }, (_, at) => Number(process.env.HUBBUB_SEED ?? 1) + at))(
  "seed %i",
  { timeout: 120_000 },
  async (seed) => {
    const random = chance(seed);
    const users = USERS.map((each) => `${each}${seed}`);
    await world.users(...users);
    const proxy = await FaultProxy.start(world.server);
    const devices: { device: Device; lists: Lists }[] = [];
    // Ada has two devices, of which one looks at nothing before it is asked.
    for (const [at, user] of [...users, users[0] as string].entries()) {
      const device = await world.enter(user, { url: proxy.url });
      devices.push({ device, lists: new Lists(device) });
      if (at < users.length) devices.at(-1)?.lists.look();
    }
    const said: string[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      for (let count = 0; count < 14; count++) said.push(await act(world, users, devices, proxy, random));
      const about = `seed ${seed}, round ${round}, after ${said.slice(-14).join("; ")}`;
      for (const { device, lists } of devices) {
        await agree(world, device, lists, about);
      }
      const user = random.of(users);
      const fresh = await world.enter(user);
      const theirs = new Lists(fresh);
      await agree(world, fresh, theirs, `${about} (fresh)`);
      const { device, lists } = devices.find((each) => each.device.user === user) as (typeof devices)[0];
      expect(differences(await byDevice(device, lists), await byDevice(fresh, theirs))).toEqual([]);
      theirs.stop();
      await fresh.close();
    }
    for (const { device, lists } of devices) {
      lists.stop();
      // A draft in a thread that one may not read is refused.
      expect(device.errors.filter((each) => (each as HubbubError).name !== "not_found")).toEqual([]);
      await device.close();
    }
    await proxy.stop();
  },
);
