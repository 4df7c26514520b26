/** What a user sees, as plain values that can be compared: by a device, and by what REST says. */

import type { Message, MyConversation, Receipt } from "../../src/chat.js";
import { type Device, follow, until, type World } from "./world.js";

/** Without what is as if it were not there: defaults are left out on the wire in most places. */
export function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== "object" || value === null) return value;
  const kept: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(value)) {
    const inner = bare(each);
    const empty =
      inner === undefined ||
      inner === null ||
      inner === 0 ||
      inner === false ||
      inner === "" ||
      (typeof inner === "object" && Object.keys(inner).length === 0);
    if (!empty) kept[key] = inner;
  }
  return kept;
}

const byName = <T>(all: readonly T[], name: (each: T) => string) =>
  Object.fromEntries(all.map((each) => [name(each), each]));

export interface Seen {
  readonly conversations: Record<string, unknown>;
  readonly messages: Record<string, readonly Message[]>;
  readonly pins: Record<string, readonly number[]>;
  readonly readers: Record<string, Record<string, Receipt>>;
  readonly kept: Record<string, unknown>;
}

/** What REST says to a user. */
export async function byRest(world: World, user: string): Promise<unknown> {
  const { conversations } = await world.call(
    "conversations.list",
    { limit: 100, archived: undefined } as never,
    user,
  );
  const archived = await world.call("conversations.list", { limit: 100, archived: true }, user);
  const invited = await world.call("conversations.list", { limit: 100, state: "invited" }, user);
  const all = new Map(
    [...conversations, ...archived.conversations, ...invited.conversations].map((each) => [
      each.conversation.id,
      each,
    ]),
  );
  const seen: Seen = { conversations: {}, messages: {}, pins: {}, readers: {}, kept: {} };
  for (const [id, mine] of all) {
    seen.conversations[id] = shownOf(mine);
    if (mine.membership.state !== "joined") continue;
    seen.messages[id] = (await world.call("messages.list", { conversation: id, limit: 100 }, user)).messages;
    seen.pins[id] = (await world.call("pins.list", { conversation: id }, user)).messages.map(
      (each) => each.seq,
    );
    const { members } = await world.call("members.list", { conversation: id, state: "joined" }, user);
    seen.readers[id] = byName(
      members.map(({ user, read = 0, delivered = 0 }) => ({ user, read, delivered })),
      (each) => each.user,
    );
  }
  const [threads, bookmarks, drafts, scheduled, reminders, restrictions, blocks, me] = await Promise.all([
    world.call("threads.list", {}, user),
    world.call("bookmarks.list", {}, user),
    world.call("drafts.list", {}, user),
    world.call("scheduled.list", {}, user),
    world.call("reminders.list", {}, user),
    world.call("me.restrictions", {}, user),
    world.call("blocks.list", {}, user),
    world.call("me.get", {}, user),
  ]);
  Object.assign(seen.kept, {
    threads: byName(
      threads.threads.map(({ root, read, unread }) => ({ root, read, unread })),
      ({ root }) => `${root.conversation}/${root.seq}`,
    ),
    bookmarks: bookmarks.bookmarks.map((each) => each.bookmark),
    drafts: drafts.drafts,
    scheduled: scheduled.scheduled,
    reminders: reminders.reminders,
    restrictions: restrictions.restrictions.map(({ kind, conversation }) => [kind, conversation]),
    blocks: byName(blocks.blocks, (each) => each.user),
    me: me.user,
  });
  return bare(seen);
}

function shownOf({ conversation, membership, last_message, peer }: MyConversation): unknown {
  // Who is invited is told of what becomes of the conversation when it joins.
  if (membership.state === "invited") return { id: conversation.id, membership };
  return { conversation, membership, last: last_message, peer };
}

/** What a device shows. `whole`: with what is to be asked for: messages and pins. */
export async function byDevice({ chat }: Device, lists: Lists): Promise<unknown> {
  const seen: Seen = { conversations: {}, messages: {}, pins: {}, readers: {}, kept: {} };
  for (const view of chat.conversations.get()) {
    const { id, conversation, membership, lastMessage, peer } = view;
    const last = lastMessage && { last_message: lastMessage };
    seen.conversations[id] = shownOf({ conversation, membership, ...last, ...(peer && { peer: peer.id }) });
    if (membership.state !== "joined") continue;
    seen.messages[id] = lists.messages(id);
    seen.pins[id] = lists.pins(id);
    seen.readers[id] = byName(chat.receipts(id).get(), (each) => each.user);
  }
  Object.assign(seen.kept, {
    threads: byName(
      chat.threads.get().map(({ root, read, unread }) => ({ root, read, unread })),
      ({ root }) => `${root.conversation}/${root.seq}`,
    ),
    bookmarks: chat.bookmarks.get(),
    drafts: chat.drafts.get(),
    scheduled: chat.scheduled.get(),
    reminders: chat.reminders.get(),
    restrictions: chat.restrictions.get().map(({ kind, conversation }) => [kind, conversation]),
    blocks: byName(chat.blocks.get(), (each) => each.user),
    me: chat.me.get()?.user,
  });
  return bare(seen);
}

/** The lists of messages and pins that a device looks at: of all its conversations. */
export class Lists {
  readonly #device: Device;
  readonly #lists = new Map<string, ReturnType<typeof follow>>();
  readonly #pins = new Map<string, () => void>();

  constructor(device: Device) {
    this.#device = device;
  }

  /** Look at all conversations that there are now. */
  look(): void {
    const { chat } = this.#device;
    if (!this.#pins.has("threads"))
      this.#pins.set(
        "threads",
        chat.threads.subscribe(() => undefined),
      );
    for (const { id, membership } of chat.conversations.get()) {
      if (membership.state !== "joined" || this.#lists.has(id)) continue;
      this.#lists.set(id, follow(chat.messages(id)));
      this.#pins.set(
        id,
        chat.pins(id).subscribe(() => undefined),
      );
    }
  }

  messages(id: string): readonly Message[] {
    return (
      this.#lists
        .get(id)
        ?.get()
        .items.map((each) => each.message) ?? []
    );
  }

  pins(id: string): readonly number[] {
    return this.#device.chat
      .pins(id)
      .get()
      .map((each) => each.seq);
  }

  /** All pages back to the first message are there. */
  async whole(): Promise<void> {
    this.look();
    for (const list of this.#lists.values()) {
      const gone = () =>
        !this.#device.chat.conversations.get().some(({ id }) => this.#lists.get(id) === list);
      for (let page = 0; page < 20 && !gone() && !list.get().atStart; page++)
        await list.loadBefore().catch(() => undefined);
    }
  }

  stop(): void {
    for (const each of this.#lists.values()) each.stop();
    for (const each of this.#pins.values()) each();
    this.#lists.clear();
    this.#pins.clear();
  }
}

/** Where two plain values differ, in words. */
export function differences(one: unknown, other: unknown, path = ""): string[] {
  if (JSON.stringify(one) === JSON.stringify(other)) return [];
  const both = [one, other].every((each) => typeof each === "object" && each !== null);
  if (!both) return [`${path}: ${JSON.stringify(one)} and not ${JSON.stringify(other)}`];
  const [a, b] = [one as Record<string, unknown>, other as Record<string, unknown>];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) =>
    differences(a[key], b[key], `${path}.${key}`),
  );
}

/** Wait until a device shows what REST says; says where not. */
export async function agree(world: World, device: Device, lists: Lists, about: string): Promise<void> {
  let found: string[] = [];
  const same = async () => {
    await lists.whole();
    found = differences(await byDevice(device, lists), await byRest(world, device.user));
    return found.length === 0;
  };
  await until(same, about, 8_000).catch(() => {
    throw new Error(`${about}, ${device.user}:\n${found.slice(0, 12).join("\n")}`);
  });
}
