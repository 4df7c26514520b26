import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import {
  type ChannelEvent,
  type ConnectionState,
  Hubbub,
  type HubbubOptions,
  type Publication,
} from "../../src/index.js";
import { FaultProxy } from "../proxy.js";
import { Server, until } from "../server.js";

let server: Server;
let proxy: FaultProxy;
const clients: Hubbub[] = [];

beforeAll(async () => {
  server = await Server.start({ settings: { "default.retention": 50, "sessions.resume_window": 2 } });
});
afterAll(() => server.stop());
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await proxy?.stop();
});

async function client(options: HubbubOptions = {}): Promise<Hubbub> {
  proxy = await FaultProxy.start(server);
  return direct({ ...options }, proxy.url);
}

function direct(options: HubbubOptions = {}, url = server.url): Hubbub {
  const hubbub = new Hubbub(url, { token: server.token("ada"), WebSocket, ...options });
  clients.push(hubbub);
  return hubbub;
}

/** All that a channel tells, from being in it on. */
async function follow(hubbub: Hubbub, name: string): Promise<ChannelEvent[]> {
  const events: ChannelEvent[] = [];
  const all = (event: ChannelEvent) => void events.push(event);
  const handlers = { publication: all, gap: all, recovered: all, subscribed: all, unsubscribed: all };
  await hubbub.channel(name).subscribe(handlers).ready;
  return events;
}

const data = (events: ChannelEvent[]) =>
  events.filter((each) => each.type === "publication").map((each) => (each as Publication).data);
const kinds = (events: ChannelEvent[]) => events.map((each) => each.type);

function states(hubbub: Hubbub): ConnectionState[] {
  const seen: ConnectionState[] = [hubbub.connection.get()];
  hubbub.connection.subscribe(() => seen.push(hubbub.connection.get()));
  return seen;
}

const isUp = (hubbub: Hubbub) => hubbub.connection.get().status === "connected";

describe.each(["websocket", "sse", "polling"] as const)("by %s", (transport) => {
  test("a drop loses nothing, repeats nothing, and resumes the session", async () => {
    const hubbub = await client({ transports: [transport] });
    const events = await follow(hubbub, `drop-${transport}`);
    const seen = states(hubbub);
    const other = direct().channel(`drop-${transport}`);
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 5; n++) await other.publish("n", round * 10 + n);
      proxy.cut();
      for (let n = 5; n < 10; n++) await other.publish("n", round * 10 + n);
      await until(() => data(events).length === (round + 1) * 10);
    }
    expect(data(events)).toEqual([...Array(30).keys()]);
    expect(kinds(events).filter((kind) => kind === "gap")).toEqual([]);
    expect(kinds(events).filter((kind) => kind === "recovered").length).toBeGreaterThanOrEqual(1);
    expect(seen.some((each) => each.status === "recovering")).toBe(true);
    expect(hubbub.connection.get()).toMatchObject({ status: "connected", resumed: true });
  });

  test("a publish whose answer is lost is sent again, and accepted once", async () => {
    const hubbub = await client({ transports: [transport] });
    const name = `answer-${transport}`;
    const events = await follow(hubbub, name);
    let cuts = 0;
    proxy.cutAfter = (text) => /"type":"published"/.test(text) && cuts++ === 0;
    const position = await hubbub.channel(name).publish("n", 1);
    await hubbub.channel(name).publish("n", 2);
    await until(() => data(events).length === 2);
    expect(cuts).toBeGreaterThan(0);
    expect(data(events)).toEqual([1, 2]);
    expect(position?.offset).toBe(1);
    expect((await hubbub.channel(name).history()).publications).toHaveLength(2);
  });

  test("a publish that never arrived is sent again", async () => {
    const hubbub = await client({ transports: [transport] });
    const name = `lost-${transport}`;
    const events = await follow(hubbub, name);
    let cuts = 0;
    proxy.cutBefore = (text) => /"type":"publish"/.test(text) && cuts++ === 0;
    await hubbub.channel(name).publish("n", 1);
    await until(() => data(events).length === 1);
    expect(cuts).toBeGreaterThan(0);
    expect((await hubbub.channel(name).history()).publications).toHaveLength(1);
  });

  test("a subscribe whose answer is lost is in the channel all the same", async () => {
    const hubbub = await client({ transports: [transport] });
    await hubbub.connect();
    let cuts = 0;
    proxy.cutAfter = (text) => /"type":"subscribed","id"/.test(text) && cuts++ === 0;
    const events = await follow(hubbub, `entering-${transport}`);
    expect(cuts).toBeGreaterThan(0);
    await direct().channel(`entering-${transport}`).publish("n", 1);
    await until(() => data(events).length === 1);
    expect(kinds(events).filter((kind) => kind === "subscribed")).toHaveLength(1);
  });
});

test("the first attempt comes in 50 to 250 ms, and recovery soon after", async () => {
  const hubbub = await client();
  const events = await follow(hubbub, "soon");
  const seen = states(hubbub);
  const before = Date.now();
  proxy.cut();
  await until(() => seen.some((each) => each.status === "recovering"));
  await until(() => isUp(hubbub));
  const waiting = seen.find((each) => each.status === "recovering");
  if (waiting?.status !== "recovering") throw new Error("no recovery");
  expect(waiting.attempt).toBe(1);
  expect(waiting.retryAt - before).toBeGreaterThanOrEqual(50);
  expect(kinds(events)).toContain("recovered");
});

test("a channel left while the connection was away is left in the resumed session, too", async () => {
  const hubbub = await client();
  const subscription = hubbub.channel("left").subscribe(() => {});
  await subscription.ready;
  await follow(hubbub, "stays");
  proxy.refuse = () => true;
  proxy.cut();
  await until(() => !isUp(hubbub));
  subscription.unsubscribe();
  proxy.refuse = undefined;
  await until(() => isUp(hubbub));
  expect(hubbub.connection.get()).toMatchObject({ resumed: true });
  const users = async (name: string) =>
    ((await server.get(`/v1/channels/${name}/presence`)) as { users: number }).users;
  await until(async () => (await users("left")) === 0);
  await until(async () => (await users("stays")) === 1);
});

test("when the session is gone, a new one recovers each channel from its position", async () => {
  const hubbub = await client();
  const events = await follow(hubbub, "away");
  const other = direct().channel("away");
  await other.publish("n", 0);
  await until(() => data(events).length === 1);
  const before = hubbub.connection.get();
  proxy.refuse = () => true;
  proxy.cut();
  for (let n = 1; n < 10; n++) await other.publish("n", n);
  await until(async () => {
    const { connections } = (await server.get("/v1/connections")) as { connections: { user: string }[] };
    return connections.length === 1;
  });
  proxy.refuse = undefined;
  hubbub.reconnect();
  await until(() => isUp(hubbub));
  await until(() => data(events).length === 10);
  const after = hubbub.connection.get();
  expect(after).toMatchObject({ resumed: false });
  expect(
    after.status === "connected" && before.status === "connected" && after.session !== before.session,
  ).toBe(true);
  expect(data(events)).toEqual([...Array(10).keys()]);
  expect(kinds(events)).not.toContain("gap");
});

test("what the log no longer has is told as a gap, and then it goes on", async () => {
  const hubbub = await client();
  const events = await follow(hubbub, "gap");
  const other = direct().channel("gap");
  await other.publish("n", 0);
  await until(() => data(events).length === 1);
  proxy.refuse = () => true;
  proxy.cut();
  await until(() => !isUp(hubbub));
  for (let n = 1; n <= 60; n++) await other.publish("n", n);
  proxy.refuse = undefined;
  hubbub.reconnect();
  await until(() => kinds(events).includes("gap"));
  await other.publish("n", 61);
  await until(() => data(events).length === 2);
  expect(data(events)).toEqual([0, 61]);
  const gap = events.find((each) => each.type === "gap");
  expect(gap).toMatchObject({ channel: "gap", since: { offset: 1 }, position: { offset: 61 } });
});

test("kill -9 and a restart: a new session, gaps told, and publishes that waited arrive once", async () => {
  const own = await Server.start();
  const hubbub = direct({ token: own.token("ada") }, own.url);
  try {
    const events = await follow(hubbub, "killed");
    const channel = hubbub.channel("killed");
    await channel.publish("n", 1);
    await until(() => data(events).length === 1);
    await own.down("SIGKILL");
    await until(() => !isUp(hubbub));
    const waiting = [2, 3, 4].map((n) => channel.publish("n", n));
    const call = hubbub.call("no.such.method");
    await own.up();
    await Promise.all(waiting);
    await expect(call).rejects.toMatchObject({ code: 106 });
    await until(() => data(events).length === 4);
    expect(data(events)).toEqual([1, 2, 3, 4]);
    expect(kinds(events)).toContain("gap"); // logs in memory are gone with the process
    expect(hubbub.connection.get()).toMatchObject({ status: "connected", resumed: false });
  } finally {
    await hubbub.close();
    await own.stop();
  }
});

test("a server that stops says so, and is come back to", async () => {
  const own = await Server.start();
  const hubbub = direct({ token: own.token("ada") }, own.url);
  try {
    const events = await follow(hubbub, "stopped");
    await own.down("SIGTERM");
    await until(() => !isUp(hubbub));
    await own.up();
    await until(() => isUp(hubbub));
    await hubbub.channel("stopped").publish("n", 1);
    await until(() => data(events).length === 1);
  } finally {
    await hubbub.close();
    await own.stop();
  }
});

test("a network that swallows all is noticed", async () => {
  const hubbub = await client();
  const events = await follow(hubbub, "hole");
  proxy.hole = true;
  await until(() => !isUp(hubbub), "the silence is noticed", 25_000);
  proxy.hole = false;
  proxy.cut();
  await until(() => isUp(hubbub));
  await hubbub.channel("hole").publish("n", 1);
  await until(() => data(events).length === 1);
});

test("a client that begins before its server is there waits for it", async () => {
  const own = await Server.start();
  await own.down();
  const hubbub = direct({ token: own.token("ada") }, own.url);
  try {
    const connecting = hubbub.connect();
    await until(() => {
      const state = hubbub.connection.get();
      return state.status === "connecting" && state.attempt > 2 && state.reason;
    });
    await own.up();
    hubbub.reconnect();
    await connecting;
    await until(() => isUp(hubbub)); // it may have been moving already
  } finally {
    await hubbub.close();
    await own.stop();
  }
});
