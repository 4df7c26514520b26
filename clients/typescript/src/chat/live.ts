import type { HubbubError } from "../core/errors.js";
import type { Gap } from "../core/types.js";
import { Cell } from "../core/view.js";
import type { ChatEvent, InboxEvent, LogEvent, SyncPage } from "../generated/chat.js";
import type { Publication, Push } from "../generated/protocol.js";
import { type Client, caller, isFinal } from "./context.js";
import { applyInbox } from "./inbox.js";
import { applyLog, applyReceipts, forgotten } from "./log.js";
import { type ChatState, EMPTY, patch } from "./state.js";
import type { Store } from "./store.js";
import { applySync } from "./sync.js";

/** Whether the state is true: `live` is, `syncing` will be again by itself. */
export type ChatStatus =
  | { readonly status: "idle" | "syncing" | "live" }
  | { readonly status: "failed"; readonly error: HubbubError };

/** Pages of a log that are read before a conversation is rather read anew. */
const PAGES = 5;
const CONVERSATION = "conversation:";
const INBOX = "inbox:";

/**
 * Keeps the state true: a sync after each connection, then the events that are pushed, in their order and with none
 * left out.
 */
export class Live {
  readonly status = new Cell<ChatStatus>({ status: "idle" });
  readonly #client: Client;
  readonly #store: Store;
  readonly #preload: number;
  readonly #heard: (event: ChatEvent, live: boolean) => void;
  readonly #call: ReturnType<typeof caller>;
  /** What was pushed while a sync is under way. */
  #held: Publication[] | undefined;
  /** Events of conversations of which earlier ones are being read. */
  readonly #ahead = new Map<string, LogEvent[]>();
  /** Events that were applied while something is read of a conversation. */
  readonly #reading = new Map<string, Set<LogEvent[]>>();
  #sync = new AbortController();
  #connection: unknown;
  /** The last sync broke off between two pages. */
  #partial = false;
  #failures = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #leave: (() => void)[] = [];

  constructor(
    client: Client,
    store: Store,
    preload: number,
    heard: (event: ChatEvent, live: boolean) => void,
  ) {
    this.#client = client;
    this.#store = store;
    this.#preload = preload;
    this.#heard = heard;
    this.#call = caller(client);
  }

  start(): void {
    if (this.#leave.length > 0) return;
    this.#leave = [
      this.#client.connection.subscribe(this.#connected),
      this.#client.on("push", (push) => this.push(push)),
    ];
    this.status.set({ status: "syncing" });
    this.#connected();
  }

  stop(): void {
    for (const each of this.#leave) each();
    this.#leave = [];
    this.#connection = undefined;
    this.#sync.abort();
    clearTimeout(this.#retry);
    this.#held = undefined;
    this.status.set({ status: "idle" });
  }

  #connected = (): void => {
    const connection = this.#client.connection.get();
    if (connection === this.#connection) return;
    this.#connection = connection;
    if (connection.status === "failed") {
      this.status.set({ status: "failed", error: connection.error });
    } else if (connection.status !== "connected") {
      this.#sync.abort();
      this.status.set({ status: "syncing" });
    } else {
      const { user } = connection;
      if (this.#store.state.get().user !== user) this.#store.update(() => ({ ...EMPTY, user }));
      this.#failures = 0;
      void this.resync();
    }
  };

  /** Bring the state up to date. */
  async resync(): Promise<void> {
    this.#sync.abort();
    clearTimeout(this.#retry);
    this.#sync = new AbortController();
    const { signal } = this.#sync;
    this.status.set({ status: "syncing" });
    // What comes now is behind what the answer shows, or in it.
    this.#held ??= [];
    try {
      if (this.#partial) await this.#pages(signal, false);
      await this.#pages(signal, true);
    } catch (error) {
      if (!signal.aborted) this.#broke(error as HubbubError);
      return;
    }
    if (signal.aborted) return;
    const left = this.#held;
    this.#held = undefined;
    this.#failures = 0;
    this.status.set({ status: "live" });
    for (const each of left ?? []) this.#publication(each);
  }

  #broke(error: HubbubError): void {
    if (isFinal(error) && error.name !== "AbortError") {
      this.#held = undefined;
      this.status.set({ status: "failed", error });
      return;
    }
    const wait = Math.max((error.retryAfter ?? 0) * 1000, Math.min(500 * 2 ** this.#failures++, 30_000));
    this.#retry = setTimeout(
      () => {
        if (this.#client.connection.get().status === "connected") void this.resync();
      },
      wait * (0.5 + Math.random() / 2),
    );
  }

  /** All pages of a sync. One that goes on where an earlier one broke off tells nothing but conversations (`whole`). */
  async #pages(signal: AbortSignal, whole: boolean): Promise<void> {
    for (let first = true; ; first = false) {
      const { token, inbox, conversations } = this.#store.state.get();
      const positions: Record<string, number> = {};
      for (const [id, each] of conversations) {
        if (each.timelines.size > 0 && !each.guest && each.membership.state === "joined")
          positions[id] = each.seq;
      }
      const known = token === undefined ? {} : { token, positions, ...(whole && first && { inbox }) };
      const params = { ...known, messages: this.#preload, live: first };
      const page = await this.#call("sync", params, { signal });
      if (signal.aborted) return;
      this.#partial = page.more ?? false;
      this.#store.update((state) => applySync(state, page, positions, whole && first));
      this.#tell(page, token !== undefined);
      this.#release();
      if (!page.more) return;
    }
  }

  /** Those who read, and those who listen, learn of what a sync has told. */
  #tell(page: SyncPage, since: boolean): void {
    for (const { events = [] } of page.conversations ?? []) {
      for (const event of events) {
        this.#note(event);
        this.#heard(event, false);
      }
    }
    for (const event of since ? (page.inbox_events ?? []) : []) this.#heard(event, false);
  }

  /** What was held back and is not shown by the sync. */
  #release(): void {
    const held = this.#held ?? [];
    if (this.#held) this.#held = [];
    for (const each of held) this.#publication(each);
  }

  /** What the server pushes in channels of the chat; everything else is passed over. */
  push(push: Push | Gap): void {
    if (push.type === "publication") {
      if (this.#held && push.offset !== undefined) this.#held.push(push);
      else this.#publication(push);
    } else if (push.type === "gap") {
      const { channel } = push;
      if ((channel.startsWith(CONVERSATION) || channel.startsWith(INBOX)) && this.live()) void this.resync();
    } else if (push.type === "subscribed" && push.channel.startsWith(CONVERSATION) && this.live()) {
      // Let in again, perhaps, after a while in which it might not be read.
      const id = push.channel.slice(CONVERSATION.length);
      const known = this.#store.state.get().conversations.get(id);
      if (known && push.position && push.position.offset > known.seq) void this.#repair(id);
    }
  }

  readonly live = (): boolean => this.status.get().status === "live";

  #publication(push: Publication): void {
    const { channel, event, data } = push;
    const said = data as ChatEvent;
    if (channel.startsWith(INBOX)) this.#inbox(data as InboxEvent);
    else if (channel.startsWith(CONVERSATION)) {
      if (event === "receipts" && said.type === "receipts") {
        // They are in no log, and a later page may have those from before.
        if (this.#held) return void this.#held.push(push);
        this.#store.update((state) => applyReceipts(state, said));
      }
      if ("seq" in said) this.#log(data as LogEvent);
      else this.#heard(said, true);
    } else if (channel.startsWith("status:") || channel.startsWith("catalogue:")) this.#heard(said, true);
  }

  #inbox(event: InboxEvent): void {
    const { inbox } = this.#store.state.get();
    if (event.seq <= inbox) return;
    if (event.seq > inbox + 1) {
      if (this.live()) void this.resync();
      return;
    }
    this.#store.update((state) => applyInbox(state, event));
    this.#heard(event, true);
  }

  #log(event: LogEvent): void {
    const { conversation: id, seq } = event;
    const known = this.#store.state.get().conversations.get(id);
    if (known === undefined || seq <= known.seq) return;
    const ahead = this.#ahead.get(id);
    if (ahead) ahead.push(event);
    else if (seq === known.seq + 1) this.#apply(event);
    else if (!this.#held || known.guest) void this.#repair(id, event);
    else this.#held.push({ type: "publication", channel: CONVERSATION + id, event: event.type, data: event });
  }

  #apply(event: LogEvent): void {
    this.#store.update((state) => applyLog(state, event));
    this.#note(event);
    this.#heard(event, true);
  }

  #note(event: LogEvent): void {
    for (const each of this.#reading.get(event.conversation) ?? []) each.push(event);
  }

  /** Read the events that are missing; if they are too many, the conversation. */
  async #repair(id: string, ...before: readonly LogEvent[]): Promise<void> {
    if (this.#ahead.has(id)) return;
    this.#ahead.set(id, [...before]);
    try {
      for (let page = 0; ; page++) {
        const known = this.#store.state.get().conversations.get(id);
        if (!known) break;
        if (page === PAGES) {
          await this.reread(id);
          break;
        }
        const { events, seq, next } = await this.#call("events.list", { conversation: id, since: known.seq });
        for (const event of events) this.#apply(event);
        const head = next ?? seq;
        this.#store.update((state) =>
          patch(state, id, (one) => (head > one.seq ? { ...one, seq: head } : one)),
        );
        if (next === undefined) break;
      }
    } catch (error) {
      // It is the user's no more, or the next sync will tell.
      if (!isFinal(error) && this.live()) void this.resync();
    } finally {
      const ahead = this.#ahead.get(id) ?? [];
      this.#ahead.delete(id);
      for (const event of ahead) this.#log(event);
    }
  }

  /** Throw away what is known of a conversation, and read what it is now. */
  async reread(id: string): Promise<void> {
    const mine = await this.#call("conversations.get", { conversation: id });
    this.#store.update((state) =>
      patch(state, id, (known) => {
        const { conversation, membership, last_message: last } = mine;
        const bare = forgotten(known);
        const seq = Math.max(conversation.seq ?? 0, known.seq);
        const book = last ? bare.book.with(last) : bare.book;
        return {
          ...bare,
          conversation,
          membership,
          seq,
          book,
          last: last?.seq,
          unsure: seq !== conversation.seq,
        };
      }),
    );
  }

  /** As `Context.read` says. */
  async read<T>(
    id: string,
    ask: () => Promise<T>,
    change: (state: ChatState, answer: T, since: readonly LogEvent[]) => ChatState,
  ): Promise<T> {
    for (;;) {
      const since: LogEvent[] = [];
      const all = this.#reading.get(id) ?? new Set();
      this.#reading.set(id, all.add(since));
      const generation = this.#store.state.get().conversations.get(id)?.generation;
      try {
        const answer = await ask();
        const now = this.#store.state.get().conversations.get(id)?.generation;
        // What was known was thrown away meanwhile, with the events since then: the answer may be older than that.
        if (now !== generation && generation !== undefined && now !== undefined) continue;
        this.#store.update((state) => change(state, answer, since));
        return answer;
      } finally {
        all.delete(since);
        if (all.size === 0 && this.#reading.get(id) === all) this.#reading.delete(id);
      }
    }
  }
}
