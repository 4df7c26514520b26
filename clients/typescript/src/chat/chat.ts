import { Outbox } from "../core/outbox.js";
import { memoryStorage, type OutboxStorage } from "../core/storage.js";
import { derived, reportError, type View } from "../core/view.js";
import type {
  Block,
  Bookmark,
  ChatEvent,
  Command,
  Hold,
  Me,
  Message,
  Presence,
  Receipt,
  Reminder,
  Restriction,
  Scheduled,
  SearchPage,
  User,
} from "../generated/chat.js";
import { Asking } from "./asking.js";
import { type Catalogue, Shelf } from "./catalogue.js";
import {
  type CallOptions,
  type Client,
  type Context,
  caller,
  newKey,
  type Operation,
  type Params,
  type Result,
} from "./context.js";
import { type DraftContent, Drafts, type ShownDraft } from "./drafts.js";
import { Files, type FileUrlOptions } from "./files.js";
import { type ChatStatus, Live } from "./live.js";
import { Marks } from "./marks.js";
import { Outgoing } from "./outgoing.js";
import { People, Presences } from "./people.js";
import { pinsOf } from "./pins.js";
import { type ConversationView, Shown, type Unread } from "./shown.js";
import { stale, type ThreadState } from "./state.js";
import { Store, Views } from "./store.js";
import { Typing } from "./typing.js";
import { type Upload, type UploadOptions, upload } from "./uploads.js";
import { type MessageList, Windows } from "./windows.js";
import { type NewMessage, partsOf, written } from "./writing.js";

export interface ChatOptions {
  /** Where messages wait that are not sent yet. Default: in memory; `indexedDbStorage` survives a reload. */
  readonly storage?: OutboxStorage;
  /** An outbox that is there already, instead of one of its own. */
  readonly outbox?: Outbox;
  /** Messages of each conversation that come with the first sync. Default: 0, they are read when they are looked at. */
  readonly preload?: number;
  /** Whether the server is told what has come to this device. Default: true. */
  readonly delivered?: boolean;
  /** Told what goes wrong where nobody waits for it. Default: `reportError`, or the console. */
  readonly onError?: (error: unknown) => void;
}

/** What was sent, and under which key it is shown. */
export interface Sending {
  readonly key: string;
  /** As the server has it; a held one has a `seq` of 0. Rejects with HubbubError when it is refused for good or discarded. */
  readonly sent: Promise<Message>;
}

type Listener = (event: ChatEvent, live: boolean) => void;

/**
 * Conversations as one user sees them, kept true: everything is a `View`, shown at once when it is written here, and
 * right when the server says so. Operations that are not here are at `call`.
 */
export class Chat {
  /** Whether what is shown is up to date. */
  readonly state: View<ChatStatus>;
  readonly outbox: Outbox;
  readonly me: View<Me | undefined>;
  /** The user's conversations, the last active one first, invitations too. */
  readonly conversations: View<readonly ConversationView[]>;
  readonly unread: View<Unread>;
  /** Threads that the user follows: those with something unread first, then by the last reply. While nobody follows the
   * view, those may be missing in which nothing is unread. */
  readonly threads: View<readonly ThreadState[]>;
  /** The newest first; their messages are at `call("bookmarks.list")`. */
  readonly bookmarks: View<readonly Bookmark[]>;
  readonly drafts: View<readonly ShownDraft[]>;
  /** By their time. */
  readonly scheduled: View<readonly Scheduled[]>;
  readonly reminders: View<readonly Reminder[]>;
  readonly restrictions: View<readonly Restriction[]>;
  /** Own messages that wait for a moderator, and those that somebody has decided on since; the newest first. */
  readonly holds: View<readonly Hold[]>;
  readonly blocks: View<readonly Block[]>;
  /** Custom emoji and groups that can be mentioned. */
  readonly catalogue: View<Catalogue>;
  readonly users: { readonly search: People["search"] };

  readonly #context: Context;
  readonly #live: Live;
  readonly #asking: Asking;
  readonly #marks: Marks;
  readonly #outgoing: Outgoing;
  readonly #ownOutbox: boolean;
  readonly #windows: Windows;
  readonly #people: People;
  readonly #presences: Presences;
  readonly #typing: Typing;
  readonly #drafts: Drafts;
  readonly #files: Files;
  readonly #shelf: Shelf;
  readonly #listeners = new Set<Listener>();
  readonly #conversation: Views<View<ConversationView | undefined>>;
  readonly #receipts: Views<View<readonly Receipt[]>>;
  readonly #pins: Views<View<readonly Message[]>>;
  #peers: (() => void) | undefined;

  constructor(client: Client & ConstructorParameters<typeof Outbox>[0], options: ChatOptions = {}) {
    const { onError = reportError, preload = 0, delivered = true } = options;
    const store = new Store();
    this.#ownOutbox = !options.outbox;
    this.outbox = options.outbox ?? new Outbox(client, options.storage ?? memoryStorage(), { onError });
    this.#live = new Live(client, store, preload, (event, live) => this.#heard(event, live));
    this.state = this.#live.status;
    this.#context = {
      client,
      store,
      call: caller(client),
      live: this.#live.live,
      whileLive: (act) => this.#whileLive(act),
      read: (conversation, ask, change) => this.#live.read(conversation, ask, change),
      heard: (push) => this.#live.push(push),
      failed: onError,
    };
    this.#people = new People(this.#context);
    this.#presences = new Presences(this.#context);
    this.#typing = new Typing(this.#context);
    this.#drafts = new Drafts(this.#context);
    this.#files = new Files(this.#context);
    this.#shelf = new Shelf(this.#context);
    this.#marks = new Marks(this.#context, delivered);
    this.#asking = new Asking(this.#context, this.#shelf.changed);
    this.#outgoing = new Outgoing(this.outbox, store, () => client.time(), this.#live.live);
    this.#windows = new Windows(this.#context, this.#marks, this.#outgoing.pending);

    const shown = new Shown({
      store,
      users: this.#people.all,
      typing: this.#typing.all,
      drafts: this.#drafts.all,
      time: () => client.time(),
    });
    this.conversations = shown.list;
    this.unread = shown.unread;
    this.catalogue = this.#shelf.view;
    this.users = { search: (text, options) => this.#people.search(text, options) };
    this.me = store.select((state) => state.me);
    const listed = <T>(part: View<Iterable<T>>, order: (a: T, b: T) => number): View<readonly T[]> =>
      derived([part], (all) => Object.freeze([...all].sort(order)));
    const values = <K, V>(of: View<ReadonlyMap<K, V>>) =>
      derived([of], (all): Iterable<V> => [...all.values()]);
    this.threads = this.#watched(
      listed(
        values(store.select((state) => state.threads)),
        (a, b) => Number(b.unread > 0) - Number(a.unread > 0) || lastReply(b) - lastReply(a),
      ),
      () => store.state.get().allThreads || store.update((state) => stale(state, "threads")),
    );
    this.bookmarks = listed(values(store.select((state) => state.bookmarks)), newest);
    this.drafts = listed(values(this.#drafts.all), (a, b) => b.updated - a.updated);
    this.scheduled = listed(values(store.select((state) => state.scheduled)), (a, b) => a.at - b.at);
    this.reminders = listed(values(store.select((state) => state.reminders)), (a, b) => a.at - b.at);
    this.holds = listed(values(store.select((state) => state.holds)), newest);
    this.blocks = listed(values(store.select((state) => state.blocks)), newest);
    this.restrictions = store.select((state) => state.restrictions);

    this.#conversation = new Views((id) => shown.of(id));
    this.#receipts = new Views((id) => {
      const readers = store.select((state) => state.conversations.get(id)?.readers);
      return derived([readers], (all) => Object.freeze([...(all?.values() ?? [])]));
    });
    this.#pins = new Views((id) => {
      const { view, look } = pinsOf(this.#context, id);
      return this.#watched(view, look);
    });
  }

  // --- being up to date ----------------------------------------------------------------------------------

  /** Become and stay up to date. Resolves when that is so for the first time; rejects when it cannot be. */
  start(): Promise<void> {
    this.#context.client.connect().catch(() => undefined); // `state` tells
    this.#live.start();
    this.#asking.start();
    this.#marks.start();
    this.#presences.start();
    this.#peers ??= this.#whileLive(() => {
      const { conversations } = this.#context.store.state.get();
      this.#people.need([...conversations.values()].flatMap(({ peer }) => peer ?? []));
    });
    return new Promise((resolve, reject) => {
      const look = (): boolean => {
        const state = this.state.get();
        if (state.status === "live") resolve();
        else if (state.status === "failed") reject(state.error);
        return state.status !== "syncing";
      };
      if (look()) return;
      const leave = this.state.subscribe(() => look() && leave());
    });
  }

  /** The end: nothing is kept true any more, and nothing sent. What waits in a `storage` is sent by the next Chat. */
  stop(): void {
    for (const each of [this.#live, this.#asking, this.#marks, this.#presences, this.#people, this.#typing])
      each.stop();
    for (const each of [this.#drafts, this.#shelf, this.#outgoing]) each.stop();
    this.#peers?.();
    this.#peers = undefined;
    if (this.#ownOutbox) this.outbox.close();
  }

  /**
   * Told of all that happens, in its order: events of the logs once each (`live` is false for what happened while this
   * device was away), and signals. For notifications and the like; what is shown needs none of it.
   */
  on(_event: "event", listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #heard(event: ChatEvent, live: boolean): void {
    this.#typing.heard(event);
    this.#presences.heard(event);
    for (const listener of [...this.#listeners]) {
      try {
        listener(event, live);
      } catch (error) {
        this.#context.failed(error);
      }
    }
  }

  #whileLive(act: () => void): () => void {
    const look = () => {
      if (this.#live.live()) act();
    };
    const leave = [this.#context.store.state.subscribe(look), this.state.subscribe(look)];
    look();
    return () => {
      for (const each of leave) each();
    };
  }

  /** Any operation. A write has a key, and is sent again after a drop. Rejects with HubbubError. */
  call<O extends Operation>(operation: O, params: Params<O>, options?: CallOptions): Promise<Result<O>> {
    return this.#context.call(operation, params, options);
  }

  // --- what there is -------------------------------------------------------------------------------------

  conversation(id: string): View<ConversationView | undefined> {
    return this.#conversation.of(id);
  }

  /** The messages of a conversation, or of a thread (by the seq of its root). */
  messages(conversation: string, options: { readonly thread?: number | undefined } = {}): MessageList {
    return this.#windows.list(conversation, options.thread);
  }

  /** A user's profile, fetched when the view is first followed. */
  user(id: string): View<User | undefined> {
    return this.#people.of(id);
  }

  /** Whether a user is there, while the view is followed. */
  presence(user: string): View<Presence | undefined> {
    return this.#presences.of(user);
  }

  /** Others who type. */
  typing(conversation: string, thread?: number): View<readonly string[]> {
    return this.#typing.of(conversation, thread);
  }

  /** How far the members have got; of large conversations nobody is named. */
  receipts(conversation: string): View<readonly Receipt[]> {
    return this.#receipts.of(conversation);
  }

  /** What is pinned, the last pinned first; fetched when the view is first followed. */
  pins(conversation: string): View<readonly Message[]> {
    return this.#pins.of(conversation);
  }

  draft(conversation: string, thread?: number): View<ShownDraft | undefined> {
    return this.#drafts.of(conversation, thread);
  }

  /** The commands that can be given in a conversation. */
  commands(conversation: string): View<readonly Command[]> {
    return this.#shelf.commands(conversation);
  }

  /** A view that sees to what it needs while somebody follows it. */
  #watched<T>(view: View<T>, look: () => void): View<T> {
    const subscribe = (listener: () => void) => {
      const leave = [view.subscribe(listener), this.#whileLive(look)];
      return () => {
        for (const each of leave) each();
      };
    };
    return { get: view.get, subscribe };
  }

  // --- what can be done ----------------------------------------------------------------------------------

  /** Send a message: shown at once, sent when there is a connection. The draft there is removed. */
  send(conversation: string, message: NewMessage): Sending {
    const params = written(conversation, message);
    const key = newKey();
    const sent = this.#outgoing
      .add({ method: "chat.messages.send", params }, key, conversation)
      .then((result) => (result as Result<"messages.send">).message);
    sent.catch(() => undefined); // it is shown as failed
    this.#drafts.set(conversation, undefined, message.thread);
    return { key, sent };
  }

  /** Send again what has failed (`outboxId` of an item). */
  retry(outboxId: string): void {
    this.outbox.retry(outboxId);
  }

  /** Throw away what has failed or is not sent yet. */
  discard(outboxId: string): void {
    this.outbox.discard(outboxId);
  }

  /** Change what one's own message says; shown at once. Rejects with HubbubError. */
  async edit(
    conversation: string,
    message: number,
    change: Pick<NewMessage, "text" | "format" | "parts" | "mentions">,
  ): Promise<void> {
    const { mentions } = change;
    const params = { conversation, message, parts: partsOf(change), ...(mentions && { mentions }) };
    await this.#outgoing.add({ method: "chat.messages.edit", params }, newKey(), conversation);
  }

  /** Delete a message, for everybody or for oneself (`for: "me"`); shown at once. */
  async delete(conversation: string, message: number, options: { for?: "all" | "me" } = {}): Promise<void> {
    const params = { conversation, message, for: options.for ?? "all" } as const;
    await this.#outgoing.add({ method: "chat.messages.delete", params }, newKey(), conversation);
  }

  /** React to a message, or take that back; shown at once. */
  async react(conversation: string, message: number, name: string): Promise<void> {
    const params = { conversation, message, name };
    await this.#outgoing.add({ method: "chat.reactions.add", params }, newKey(), conversation);
  }

  async unreact(conversation: string, message: number, name: string): Promise<void> {
    const params = { conversation, message, name };
    await this.#outgoing.add({ method: "chat.reactions.remove", params }, newKey(), conversation);
  }

  async forward(conversation: string, message: number, to: readonly string[], silent = false): Promise<void> {
    await this.call("messages.forward", { conversation, message, to, ...(silent && { silent }) });
  }

  async pin(conversation: string, message: number): Promise<void> {
    await this.call("pins.add", { conversation, message });
  }

  async unpin(conversation: string, message: number): Promise<void> {
    await this.call("pins.remove", { conversation, message });
  }

  async bookmark(conversation: string, message: number, note?: string): Promise<void> {
    await this.call("bookmarks.add", { conversation, message, ...(note !== undefined && { note }) });
  }

  async unbookmark(conversation: string, message: number): Promise<void> {
    await this.call("bookmarks.remove", { conversation, message });
  }

  /** Vote in a poll for these options, in place of what one has voted for; for none to take it back. */
  async vote(conversation: string, message: number, options: readonly string[]): Promise<void> {
    if (options.length > 0) await this.call("polls.vote", { conversation, message, options });
    else await this.call("polls.retract", { conversation, message });
  }

  /** Tick an item of a checklist, or take the tick back. */
  async check(conversation: string, message: number, item: string, done = true): Promise<void> {
    await this.call(done ? "checklists.check" : "checklists.uncheck", { conversation, message, item });
  }

  /** The conversation with a user, which is made if there is none. Gives its id. */
  async direct(user: string): Promise<string> {
    const { conversation } = await this.call("conversations.direct", { user });
    return conversation.conversation.id;
  }

  /** To be called at each key: it is told as often as others need it. */
  startTyping(conversation: string, thread?: number): void {
    this.#typing.start(conversation, thread);
  }

  stopTyping(conversation: string, thread?: number): void {
    this.#typing.stopTyping(conversation, thread);
  }

  /** What is written so far: kept when the user pauses. null, or nothing at all, removes it. */
  setDraft(conversation: string, content: DraftContent | null | undefined, thread?: number): void {
    this.#drafts.set(conversation, content ?? undefined, thread);
  }

  /** Tell the server now what waits to be told: drafts, and what was read. */
  async flush(): Promise<void> {
    await Promise.all([this.#drafts.flush(), this.#marks.flush()]);
  }

  search(params: Params<"search">, signal?: AbortSignal): Promise<SearchPage> {
    return this.call("search", params, { signal });
  }

  /** Send a file. It is shown nowhere until its id is in a message. */
  upload(file: Blob, options?: UploadOptions): Upload {
    return upload(this.#context, file, options);
  }

  /** An address where a file can be read without a token, for some minutes; asked for together, and remembered. */
  fileUrl(file: string, options?: FileUrlOptions): Promise<string> {
    return this.#files.url(file, options);
  }
}

function newest(a: { readonly created: number }, b: { readonly created: number }): number {
  return b.created - a.created;
}

function lastReply({ root }: ThreadState): number {
  return root.last_reply ?? root.created;
}
