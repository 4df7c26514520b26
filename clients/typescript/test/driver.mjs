// The TypeScript SDK as a driver of tests/scenarios: JSON lines in and out, over the built package. What is said stands in
// tests/scenarios/README.md; all thinking is left to the SDK.
//
//     HUBBUB_DIST=/tmp/built node driver.mjs --clock -3600

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { WebSocket } from "ws"; // Node 20 has none of its own

const RightDate = globalThis.Date;
let off = 0;

/** A Date that is as wrong as the device's clock. Timers and performance.now() do not go by it, as in a browser. */
class WrongDate extends RightDate {
  constructor(...values) {
    if (values.length === 0) super(WrongDate.now());
    else super(...values);
  }

  static now() {
    return RightDate.now() + off;
  }
}

function setClock(seconds) {
  off = seconds * 1000;
  globalThis.Date = off === 0 ? RightDate : WrongDate;
}

// Before anything is imported that keeps the function.
globalThis.Date = WrongDate;
const clock = process.argv.indexOf("--clock");
if (clock > 0) off = Number(process.argv[clock + 1]) * 1000;

const built = process.env.HUBBUB_DIST;
const dist = built ? pathToFileURL(`${built}/`) : new URL("../dist/", import.meta.url);
const { Hubbub, HubbubError, memoryStorage } = await import(new URL("index.js", dist).href);
const { Chat } = await import(new URL("chat.js", dist).href);

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const stores = new Map();
const devices = new Map();

function store(name) {
  const known = stores.get(name) ?? memoryStorage();
  stores.set(name, known);
  return known;
}

function refusal(error) {
  if (error instanceof HubbubError) {
    const { code, name, message, temporary } = error;
    return { code, name, message, temporary };
  }
  return { name: error?.name ?? "Error", message: String(error?.stack ?? error) };
}

/** One client. */
class Device {
  #name;
  #hubbub;
  #chat;
  #asks = 0;
  #asked = new Map();
  #subscriptions = new Map();
  #lists = new Map();
  #unread = new Map();
  #ends = [];

  constructor(name) {
    this.#name = name;
  }

  #say(event, fields) {
    write({ event, client: this.#name, ...fields });
  }

  open({ url, transports, chat, storage }) {
    this.#hubbub = new Hubbub(url, {
      token: (reason) => {
        const ask = ++this.#asks;
        this.#say("token", { ask, reason });
        return new Promise((resolve) => this.#asked.set(ask, resolve));
      },
      transports,
      WebSocket,
    });
    this.#watch(this.#hubbub.connection, (state) => {
      const { status, transport, resumed, error } = state;
      this.#say("state", { status, transport, resumed, ...(error ? { error: refusal(error) } : {}) });
    });
    if (chat) {
      this.#chat = new Chat(this.#hubbub, { storage: store(storage) });
      this.#watch(this.#chat.conversations, (conversations) => {
        for (const { conversation, unread } of conversations) {
          if (this.#unread.get(conversation.id) === unread) continue;
          this.#unread.set(conversation.id, unread);
          this.#say("unread", { conversation: conversation.id, unread });
        }
      });
      this.#chat.start().catch(complain);
    }
    this.#hubbub.connect().catch(() => undefined); // the state says so
  }

  async close() {
    for (const end of this.#ends) end();
    for (const { list } of this.#lists.values()) list.release();
    await this.#chat?.close?.();
    await this.#hubbub.close();
  }

  #watch(view, tell) {
    let last;
    const look = () => {
      const value = view.get();
      if (value === last) return;
      last = value;
      tell(value);
    };
    this.#ends.push(view.subscribe(look));
    look();
  }

  token({ ask, token }) {
    this.#asked.get(ask)(token);
    this.#asked.delete(ask);
  }

  time() {
    return { time: this.#hubbub.time() };
  }

  // --- channels

  async subscribe({ channel }) {
    const subscription = this.#hubbub.channel(channel).subscribe({
      publication: ({ data, epoch, offset }) =>
        this.#say("publication", { channel, text: data.text, epoch, offset }),
      gap: ({ since, position }) => this.#say("gap", { channel, since, position }),
      unsubscribed: ({ code }) => this.#say("unsubscribed", { channel, code }),
    });
    this.#subscriptions.set(channel, subscription);
    return (await subscription.ready).position;
  }

  unsubscribe({ channel }) {
    this.#subscriptions.get(channel).unsubscribe();
    this.#subscriptions.delete(channel);
  }

  publish({ channel, text }) {
    return this.#hubbub.channel(channel).publish("message", { text });
  }

  /** Tell who is in a channel, from when that is known. */
  async show({ channel }) {
    const { presence } = this.#hubbub.channel(channel);
    const first = presence.get();
    await new Promise((resolve) => {
      this.#watch(presence, (members) => {
        if (members === first) return; // nobody has been asked yet
        resolve();
        this.#say("present", { channel, users: members.map(({ user }) => user).sort() });
      });
    });
  }

  // --- conversations

  send({ conversation, text }) {
    const { sent } = this.#chat.send(conversation, { text });
    sent.then(
      (message) => this.#say("sent", { conversation, text, seq: message.seq }),
      (error) => this.#say("sent", { conversation, text, error: refusal(error) }),
    );
  }

  watch({ conversation }) {
    const list = this.#chat.messages(conversation);
    this.#lists.set(conversation, { list });
    let shown = [];
    let start = false;
    this.#watch(list, (window) => {
      const items = window.items.filter((item) => item.message.kind !== "system").map(told);
      const change = difference(shown, items);
      if (!change && start === window.atStart) return;
      shown = items;
      start = window.atStart;
      this.#say("view", { conversation, start, ...(change ?? { at: 0, drop: 0, items: [] }) });
    });
  }

  async rewind({ conversation }) {
    const { list } = this.#lists.get(conversation);
    if (!list.get().atEnd) await list.toEnd();
    while (!list.get().atStart) await list.loadBefore();
  }

  edit({ conversation, message, text }) {
    return this.#chat.edit(conversation, message, { text });
  }

  delete({ conversation, message }) {
    return this.#chat.delete(conversation, message);
  }

  react({ conversation, message, name }) {
    return this.#chat.react(conversation, message, name);
  }

  unreact({ conversation, message, name }) {
    return this.#chat.unreact(conversation, message, name);
  }

  async read({ conversation, seq }) {
    await this.#chat.call("receipts.mark", { marks: [{ conversation, read: seq }] });
  }
}

/** An item of a list as [key, seq, status, text, deleted, reactions]. */
function told({ key, message, status }) {
  const text = message.parts?.find((part) => part.type === "text")?.text ?? "";
  const reactions = message.reactions?.map(({ name, count, users }) => `${name} ${count} ${users.join()}`);
  return [key, message.seq || null, status, text, message.deleted !== undefined, reactions?.join("|") ?? ""];
}

/** What is to be replaced in `before` so that it is `after`; undefined if nothing. */
function difference(before, after) {
  const same = (one, other) => one.every((value, place) => value === other[place]);
  let at = 0;
  while (at < before.length && at < after.length && same(before[at], after[at])) at++;
  let end = 0;
  const most = Math.min(before.length, after.length) - at;
  while (end < most && same(before[before.length - 1 - end], after[after.length - 1 - end])) end++;
  const drop = before.length - at - end;
  const items = after.slice(at, after.length - end);
  return drop === 0 && items.length === 0 ? undefined : { at, drop, items };
}

function complain(error) {
  process.stderr.write(`${error?.stack ?? error}\n`);
}

async function perform(action, { client, ...asked }) {
  if (action === "set_clock") return setClock(asked.off);
  if (action === "open") devices.set(client, new Device(client));
  const device = devices.get(client);
  if (action === "close") devices.delete(client);
  return device[action](asked);
}

process.on("unhandledRejection", complain);
for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: action, ...asked } = JSON.parse(line);
  perform(action, asked).then(
    (ok) => write({ id, ok: ok ?? null }),
    (error) => write({ id, error: refusal(error) }),
  );
}
process.exit(0);
