import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import {
  type ChannelEvent,
  Hubbub,
  HubbubError,
  type HubbubOptions,
  type Joined,
  type Publication,
  type ServerPush,
} from "../../src/index.js";
import { Server, until } from "../server.js";

let server: Server;
const clients: Hubbub[] = [];

beforeAll(async () => {
  server = await Server.start({ settings: { "sessions.presence_grace": 0 } });
});
afterAll(() => server.stop());
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

function client(user = "ada", options: HubbubOptions = {}): Hubbub {
  const hubbub = new Hubbub(server.url, { token: server.token(user), WebSocket, ...options });
  clients.push(hubbub);
  return hubbub;
}

describe.each(["websocket", "sse", "polling"] as const)("by %s", (transport) => {
  test("publications come in order, with their positions", async () => {
    const hubbub = client("ada", { transports: [transport] });
    const channel = hubbub.channel<{ hello: { n: number } }>(`round-${transport}`);
    const seen: Publication<{ hello: { n: number } }>[] = [];
    const { ready } = channel.subscribe((publication) => seen.push(publication));
    expect(await ready).toMatchObject({ type: "subscribed", recoverable: true, recovered: false });
    expect(hubbub.connection.get()).toMatchObject({
      status: "connected",
      transport,
      user: "ada",
      resumed: false,
    });
    const positions = await Promise.all(
      Array.from({ length: 20 }, (_, n) => channel.publish("hello", { n })),
    );
    await until(() => seen.length === 20);
    expect(seen.map((each) => each.data.n)).toEqual([...Array(20).keys()]);
    expect(seen.map((each) => each.offset)).toEqual(positions.map((each) => each?.offset));
    expect(seen[0]).toMatchObject({ event: "hello", sender: "ada", channel: `round-${transport}` });
  });

  test("calls, history and refusals come as answers", async () => {
    const hubbub = client("ada", { transports: [transport] });
    const channel = hubbub.channel(`log-${transport}`);
    for (const text of ["a", "b", "c"]) await channel.publish("note", { text });
    const page = await channel.history({ limit: 2 });
    expect(page.publications.map((each) => each.data)).toEqual([{ text: "a" }, { text: "b" }]);
    expect(page).toMatchObject({ more: true, complete: true, position: { offset: 3 } });
    const newest = await channel.history({ limit: 1, reverse: true });
    expect(newest.publications[0]?.data).toEqual({ text: "c" });
    const refusal = hubbub.call("no.such.method", { x: 1 });
    await expect(refusal).rejects.toMatchObject({ code: 106, name: "method_not_found", field: "method" });
    await expect(refusal).rejects.toBeInstanceOf(HubbubError);
  });

  test("a large publication and many at once get through", async () => {
    const hubbub = client("ada", { transports: [transport] });
    const channel = hubbub.channel(`large-${transport}`);
    const sizes: number[] = [];
    await channel.subscribe((each) => sizes.push((each.data as string).length)).ready;
    const texts = ["é".repeat(15_000), ...Array.from({ length: 300 }, (_, n) => "x".repeat(n))];
    await Promise.all(texts.map((text) => channel.publish("text", text)));
    await until(() => sizes.length === texts.length);
    expect(sizes).toEqual(texts.map((text) => text.length));
  });

  test("a command that is too large is refused, and those beside it are not", async () => {
    const hubbub = client("ada", { transports: [transport] });
    await hubbub.connect();
    if (transport === "websocket") return; // there the connection ends: RFC 6455, 1009
    const channel = hubbub.channel("size");
    const outcomes = await Promise.allSettled([
      channel.publish("text", "a"),
      channel.publish("text", "x".repeat(200_000)),
      channel.publish("text", "b"),
    ]);
    expect(outcomes.map((each) => each.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(outcomes[1]).toMatchObject({ reason: { code: 111 } });
  });
});

test("subscriptions of one channel share it: the session leaves with the last", async () => {
  const [ada, bob] = [client("ada"), client("bob")];
  const here = async () => {
    const found = (await server.get("/v1/channels/shared/presence")) as { users: number };
    return found.users;
  };
  const seen: string[] = [];
  const first = ada.channel("shared").subscribe(() => seen.push("first"));
  const second = ada.channel("shared").subscribe(() => seen.push("second"));
  await Promise.all([first.ready, second.ready]);
  await bob.channel("shared").publish("x", 1);
  await until(() => seen.length === 2);
  first.unsubscribe();
  first.unsubscribe();
  await bob.channel("shared").publish("x", 2);
  await until(() => seen.length === 3);
  expect(seen).toEqual(["first", "second", "second"]);
  expect(await here()).toBe(1);
  second.unsubscribe();
  await until(async () => (await here()) === 0);
});

test("who comes later is told where the channel is, and gets what comes from then on", async () => {
  const hubbub = client();
  const channel = hubbub.channel("late");
  await channel.subscribe(() => {}).ready;
  await channel.publish("x", 1);
  const events: ChannelEvent[] = [];
  const { ready } = channel.subscribe({
    subscribed: (event) => events.push(event),
    publication: (event) => events.push(event),
  });
  expect(await ready).toMatchObject({ position: { offset: 1 } });
  await channel.publish("x", 2);
  await until(() => events.length === 2);
  expect(events.map((each) => each.type)).toEqual(["subscribed", "publication"]);
});

test("leaving and entering in one breath stays, without a word to the server", async () => {
  const hubbub = client();
  const channel = hubbub.channel("strict");
  const first = channel.subscribe(() => {});
  await first.ready;
  const seen: unknown[] = [];
  const joins: Joined[] = [];
  await client("bob")
    .channel("strict")
    .subscribe({ join: (e) => joins.push(e), leave: (e) => joins.push(e) }).ready;
  first.unsubscribe();
  const second = channel.subscribe((each) => seen.push(each.data));
  await second.ready;
  await channel.publish("x", 1);
  await until(() => seen.length === 1);
  expect(joins.filter((each) => each.member.user === "ada")).toEqual([]);
});

test("unsubscribing in a callback, and callbacks that throw, hurt nobody else", async () => {
  const errors: unknown[] = [];
  const hubbub = client("ada", { onError: (error) => errors.push(error) });
  const channel = hubbub.channel("callbacks");
  const seen: string[] = [];
  const first = channel.subscribe(() => {
    seen.push("first");
    first.unsubscribe();
    second.unsubscribe();
  });
  const second = channel.subscribe(() => seen.push("second"));
  const third = channel.subscribe(() => {
    throw new Error("mine");
  });
  const fourth = channel.subscribe((each) => seen.push(`fourth ${each.data}`));
  await Promise.all([first.ready, second.ready, third.ready, fourth.ready]);
  await channel.publish("x", 1);
  await channel.publish("x", 2);
  await until(() => seen.length === 3);
  expect(seen).toEqual(["first", "fourth 1", "fourth 2"]);
  expect(errors).toEqual([new Error("mine"), new Error("mine")]);
});

test("a refused subscription says so: to `ready`, to `unsubscribed`, or else to onError", async () => {
  const errors: unknown[] = [];
  const token = server.token("ada", { channels: { "open:*": ["subscribe"] } });
  const hubbub = client("ada", { token, onError: (error) => errors.push(error) });
  await server.post("/v1/publish", { channel: "x", data: 1 }).catch(() => {});
  const name = "bad name!";
  await expect(hubbub.channel(name).subscribe(() => {}).ready).rejects.toMatchObject({ code: 110 });
  const ends: unknown[] = [];
  hubbub.channel(name).subscribe({ unsubscribed: (event) => ends.push(event) });
  await until(() => ends.length === 1);
  expect(ends[0]).toMatchObject({ type: "unsubscribed", channel: name, code: 110 });
  expect(errors).toEqual([]);
  hubbub.channel(name).subscribe(() => {});
  await until(() => errors.length === 1);
  expect(errors[0]).toMatchObject({ code: 110 });
  const iterator = hubbub.channel(name)[Symbol.asyncIterator]();
  await expect(iterator.next()).rejects.toMatchObject({ code: 110 });
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
});

test("what the server ends is over, and can be begun again", async () => {
  const hubbub = client("eve");
  const channel = hubbub.channel("ended");
  const ends: unknown[] = [];
  await channel.subscribe({ unsubscribed: (event) => ends.push(event) }).ready;
  const loop = (async () => {
    for await (const _ of channel) expect.unreachable();
  })();
  const failed = expect(loop).rejects.toMatchObject({ code: 104 });
  await until(
    async () => ((await server.get("/v1/channels/ended/presence")) as { users: number }).users === 1,
  );
  await server.post("/v1/users/eve/unsubscribe", { channel: "ended" });
  await until(() => ends.length === 1);
  await failed;
  await channel.subscribe(() => {}).ready;
});

test("a loop gets what comes while it is busy, and leaves with `break`", async () => {
  const hubbub = client();
  const channel = hubbub.channel<{ n: number }>("loop");
  const seen: number[] = [];
  const loop = (async () => {
    for await (const publication of channel) {
      if (seen.length === 0) await until(() => published);
      seen.push(publication.data);
      if (seen.length === 5) break;
    }
  })();
  let published = false;
  await channel.subscribe(() => {}).ready;
  for (let n = 0; n < 10; n++) await channel.publish("n", n);
  published = true;
  await loop;
  expect(seen).toEqual([0, 1, 2, 3, 4]);
});

test("events() tells all that happens, and its signal ends it", async () => {
  const hubbub = client();
  const stop = new AbortController();
  const kinds: string[] = [];
  const loop = (async () => {
    for await (const event of hubbub.channel("events").events(stop.signal)) kinds.push(event.type);
  })();
  await until(() => kinds.length > 0);
  await hubbub.channel("events").publish("x", null);
  await client("bob")
    .channel("events")
    .subscribe(() => {}).ready;
  await until(() => kinds.includes("join") && kinds.includes("publication"));
  stop.abort();
  await expect(loop).rejects.toBe(stop.signal.reason);
  expect(kinds[0]).toBe("subscribed");
});

test("a signal unsubscribes; one that has aborted never subscribes", async () => {
  const hubbub = client();
  const stop = new AbortController();
  const seen: unknown[] = [];
  const subscription = hubbub
    .channel("signal")
    .subscribe({ publication: (e) => seen.push(e), signal: stop.signal });
  await subscription.ready;
  stop.abort();
  await until(
    async () => ((await server.get("/v1/channels/signal/presence")) as { users: number }).users === 0,
  );
  await hubbub.channel("signal").publish("x", 1);
  const { signal } = stop;
  await expect(hubbub.channel("signal").subscribe({ signal }).ready).rejects.toBe(signal.reason);
  expect(seen).toEqual([]);
});

test("since catches up, or tells of a gap", async () => {
  const hubbub = client();
  const channel = hubbub.channel("since");
  const first = await channel.publish("x", 1);
  await channel.publish("x", 2);
  await channel.publish("x", 3);
  if (!first) throw new Error("no log");
  const events: ChannelEvent[] = [];
  const all = { recovered: push, gap: push, publication: push };
  function push(event: ChannelEvent): void {
    events.push(event);
  }
  await client("bob").channel("since", { since: first }).subscribe(all).ready;
  await until(() => events.length === 3);
  expect(events[0]).toEqual({ type: "recovered", channel: "since", count: 2 });
  expect(events.slice(1).map((each) => (each as Publication).data)).toEqual([2, 3]);
  events.length = 0;
  const since = { epoch: "another", offset: 1 };
  await client("eve").channel("since", { since }).subscribe(all).ready;
  expect(events).toEqual([
    { type: "gap", channel: "since", since, position: { epoch: first.epoch, offset: 3 } },
  ]);
});

test("presence is a live set, of users", async () => {
  const [ada, bob, bob2] = [client("ada"), client("bob"), client("bob")];
  const { presence } = ada.channel("room");
  expect(presence.get()).toEqual([]);
  await bob.channel("room").subscribe(() => {}).ready;
  const changes = vi.fn();
  const leave = presence.subscribe(changes);
  const users = () =>
    presence
      .get()
      .map((each) => each.user)
      .sort();
  await until(() => users().join() === "ada,bob");
  expect(presence.users.get()).toBe(2);
  await bob2.channel("room").subscribe(() => {}).ready;
  await client("eve")
    .channel("room")
    .subscribe(() => {}).ready;
  await until(() => users().join() === "ada,bob,eve");
  await bob.close();
  await bob2.close();
  await until(() => users().join() === "ada,eve");
  expect(changes).toHaveBeenCalled();
  leave();
  await until(
    async () => ((await server.get("/v1/channels/room/presence")) as { users: number }).users === 1,
  );
});

test("what comes in channels that the server has entered is told by on('push')", async () => {
  const hubbub = client("ada", { token: server.token("ada", { subscribe: ["news"] }) });
  const pushes: ServerPush[] = [];
  const stop = hubbub.on("push", (push) => pushes.push(push));
  await hubbub.connect();
  await until(() => pushes.length > 0);
  expect(pushes[0]).toMatchObject({ type: "subscribed", channel: "news" });
  await client("bob").channel("news").publish("x", 1);
  await until(() => pushes.some((each) => each.type === "publication"));
  // Whoever subscribes to it here joins what the session is in already.
  const seen: unknown[] = [];
  const subscription = hubbub.channel("news").subscribe((each) => seen.push(each.data));
  await subscription.ready;
  await client("bob").channel("news").publish("x", 2);
  await until(() => seen.length === 1);
  expect(pushes.filter((each) => each.type === "publication")).toHaveLength(1);
  stop();
});

test("a call can be given up, and one before the connection is not sent at all", async () => {
  const hubbub = client();
  const stop = new AbortController();
  const call = hubbub.call("no.such.method", {}, { signal: stop.signal });
  stop.abort(new Error("enough"));
  await expect(call).rejects.toThrow("enough");
  await expect(hubbub.call("x", {}, { signal: stop.signal })).rejects.toThrow("enough");
  await expect(hubbub.channel("x").publish("x", 1n as unknown)).rejects.toThrow(TypeError);
  await hubbub.channel("x").publish("x", undefined);
});

test("echo: false spares the sender its own copy", async () => {
  const [ada, bob] = [client("ada"), client("bob")];
  const seen: string[] = [];
  await ada.channel("echo").subscribe((each) => seen.push(`ada ${each.data}`)).ready;
  await bob.channel("echo").subscribe((each) => seen.push(`bob ${each.data}`)).ready;
  await ada.channel("echo").publish("x", 1, { echo: false });
  await ada.channel("echo").publish("x", 2);
  await until(() => seen.filter((each) => each.endsWith("2")).length === 2);
  expect(seen.sort()).toEqual(["ada 2", "bob 1", "bob 2"]);
});

test("http() brings the token along", async () => {
  const hubbub = client("ada");
  const response = await hubbub.http("/v1/tickets", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ channels: ["lobby"] }),
  });
  expect(response.status).toBeLessThan(300);
  expect(await response.json()).toHaveProperty("ticket");
});

test("a closed client says so, and can be opened again", async () => {
  const hubbub = client();
  const channel = hubbub.channel("closing");
  const loop = (async () => {
    for await (const _ of channel) expect.unreachable();
    return "over";
  })();
  await channel.subscribe(() => {}).ready;
  await hubbub.close();
  expect(hubbub.connection.get()).toEqual({ status: "closed" });
  expect(await loop).toBe("over");
  await expect(channel.publish("x", 1)).rejects.toMatchObject({ code: 1000, name: "closed" });
  await expect(channel.subscribe(() => {}).ready).rejects.toMatchObject({ name: "closed" });
  await hubbub.connect();
  expect(hubbub.connection.get()).toMatchObject({ status: "connected" });
});

test("an address that is none is refused at once", () => {
  expect(() => new Hubbub("chat.example.com")).toThrow(HubbubError);
  expect(new Hubbub("wss://chat.example.com/rt/").url).toBe("https://chat.example.com/rt");
  expect(() => new Hubbub(server.url, { transports: [] })).toThrow(TypeError);
});
