import { delay, randomKey } from "./chance.js";
import { CODE, HubbubError, text } from "./errors.js";
import type { Hubbub } from "./hubbub.js";
import type { OutboxStorage, StoredEntry } from "./storage.js";
import { Cell, reportError, type View } from "./view.js";

/** A write on its way. */
export interface OutboxEntry {
  readonly id: string;
  /** What is called, with what, and the key that makes repeats of it one. */
  readonly method: string;
  readonly params: unknown;
  readonly key: string;
  /** Entries of one group are sent in the order in which they were added. */
  readonly group: string;
  readonly state: "queued" | "sending" | "failed";
  /** Why it failed, or was last put off. */
  readonly error?: HubbubError;
  /** How often the server has put it off or refused it. */
  readonly attempts: number;
  /** Milliseconds since the epoch, by the device's clock; no two of an outbox are alike. */
  readonly added: number;
}

/** What is to be called. `key` and `group` are made up and "" if absent. */
export interface OutboxItem {
  readonly method: string;
  readonly params?: unknown;
  readonly key?: string;
  readonly group?: string;
}

/** From tab to tab: something was added or retried, or this became of an entry. */
type Word =
  | { readonly type: "changed" }
  | { readonly type: "done"; readonly id: string; readonly result: unknown }
  | { readonly type: "failed"; readonly entry: StoredEntry }
  | { readonly type: "discarded"; readonly id: string };

/** What an Outbox needs of a client. */
export type OutboxClient = Pick<Hubbub, "call" | "connect" | "connection">;

export interface OutboxOptions {
  /** Told when the storage fails; entries are then kept in memory alone. Default: `reportError`, or the console. */
  readonly onError?: (error: unknown) => void;
}

interface Settlement {
  readonly promise: Promise<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: HubbubError) => void;
}

const GROUPS_AT_ONCE = 8;

/**
 * Writes that reach the server sooner or later: kept before they are sent, sent with their keys in the order of their
 * groups, and put off while the server is busy or away. What it refuses for good stays, marked `failed`, until it is
 * retried or discarded; what comes behind it goes on.
 *
 * Tabs that share a storage show the same entries, and one of them sends (Web Locks, where there are).
 */
export class Outbox {
  /** In the order in which they were added. */
  readonly entries: View<readonly OutboxEntry[]>;
  /** Resolves when what an earlier page has left was read. Never rejects. */
  readonly ready: Promise<void>;

  readonly #client: OutboxClient;
  readonly #storage: OutboxStorage;
  readonly #report: (error: unknown) => void;
  readonly #cell = new Cell<readonly OutboxEntry[]>(Object.freeze([]));
  readonly #settlements = new Map<string, Settlement>();
  readonly #kept = new Map<string, boolean>(); // may be sent: in the storage, or (false) it could not be kept there
  readonly #gone = new Map<string, boolean>(); // done or discarded; true: the storage knows
  readonly #tabs: BroadcastChannel | undefined;
  readonly #unfollow: () => void;
  #connected = new AbortController(); // aborts when the connection goes
  #sending = false;
  #news = () => {}; // wakes the sender
  #last = 0;

  constructor(client: OutboxClient, storage: OutboxStorage, { onError = reportError }: OutboxOptions = {}) {
    this.#client = client;
    this.#storage = storage;
    this.#report = onError;
    this.entries = this.#cell;
    this.#connected.abort();
    if (storage.name !== undefined && typeof BroadcastChannel !== "undefined") {
      const tabs = new BroadcastChannel(`hubbub-outbox:${storage.name}`);
      tabs.onmessage = ({ data }) => this.#hear(data as Word);
      (tabs as { unref?: () => void }).unref?.(); // Node would wait for it
      this.#tabs = tabs;
    }
    this.#unfollow = client.connection.subscribe(() => this.#connection());
    this.#connection();
    this.ready = this.#load().then(() => this.#wake());
  }

  /** Queue a call. The entry is shown at once, and sent when it is kept and its turn has come. */
  add({ method, params = null, key = randomKey(), group = "" }: OutboxItem): OutboxEntry {
    this.#last = Math.max(Date.now(), this.#last + 0.001);
    const kept: StoredEntry = { id: randomKey(), method, params, key, group, added: this.#last, attempts: 0 };
    const entry = shown(kept);
    this.#show([...this.#cell.get(), entry]);
    this.#keep(kept).then(() => {
      this.#say({ type: "changed" });
      this.#wake();
    });
    if (this.#client.connection.get().status === "idle") this.#client.connect().catch(() => {});
    return entry;
  }

  /** Send a failed entry again, with its key. */
  retry(id: string): void {
    const entry = this.#find(id);
    if (entry?.state !== "failed") return;
    const { error: _, ...rest } = entry;
    this.#put({ ...rest, state: "queued" });
    this.#keep(stored(this.#find(id) ?? entry)).then(() => {
      this.#say({ type: "changed" });
      this.#wake();
    });
  }

  /** Forget an entry. One that is on its way may arrive all the same. */
  discard(id: string): void {
    if (!this.#find(id)) return;
    this.#remove(id);
    this.#settle(id, discarded());
    this.#say({ type: "discarded", id });
  }

  /** What the server answers, after whatever time. Rejects with the HubbubError of its refusal, or if it is discarded. */
  result(id: string): Promise<unknown> {
    const entry = this.#find(id);
    if (entry?.state === "failed") return Promise.reject(entry.error);
    let settlement = this.#settlements.get(id);
    if (!settlement) {
      if (!entry) return Promise.reject(discarded());
      settlement = promised();
      this.#settlements.set(id, settlement);
    }
    return settlement.promise;
  }

  /** Send no more. What is kept is sent by the next Outbox on the same storage. */
  close(): void {
    this.#unfollow();
    this.#connected.abort();
    this.#tabs?.close();
  }

  // --- what is shown, and what is kept -------------------------------------------------------------------

  #find(id: string): OutboxEntry | undefined {
    return this.#cell.get().find((each) => each.id === id);
  }

  #show(entries: readonly OutboxEntry[]): void {
    this.#cell.set(Object.freeze(entries));
  }

  #put(entry: OutboxEntry): void {
    const next = Object.freeze(entry);
    this.#show(this.#cell.get().map((each) => (each.id === entry.id ? next : each)));
  }

  #settle(id: string, error: HubbubError | undefined, result?: unknown): void {
    const settlement = this.#settlements.get(id);
    this.#settlements.delete(id);
    if (error) settlement?.reject(error);
    else settlement?.resolve(result);
  }

  async #keep(entry: StoredEntry): Promise<void> {
    try {
      await this.#storage.put(entry);
      if (this.#gone.has(entry.id)) await this.#storage.remove(entry.id);
      else this.#kept.set(entry.id, true);
    } catch (error) {
      this.#kept.set(entry.id, false);
      this.#report(error);
    }
  }

  #remove(id: string): void {
    this.#show(this.#cell.get().filter((each) => each.id !== id));
    this.#gone.set(id, false);
    this.#kept.delete(id);
    this.#storage.remove(id).then(
      () => this.#gone.set(id, true),
      (error) => this.#report(error),
    );
  }

  /** Read what is kept: by an earlier page, or meanwhile by another tab. */
  async #load(): Promise<void> {
    const before = new Map(this.#kept);
    const over = [...this.#gone].filter(([, known]) => known);
    let found: Map<string, StoredEntry>;
    try {
      found = new Map((await this.#storage.load()).map((each) => [each.id, each]));
    } catch (error) {
      return this.#report(error);
    }
    const entries: OutboxEntry[] = [];
    for (const entry of this.#cell.get()) {
      const kept = found.get(entry.id);
      found.delete(entry.id);
      if (!kept && before.get(entry.id) && this.#kept.get(entry.id) && entry.state !== "sending") continue; // done elsewhere
      const same = !kept || entry.state === "sending" || Boolean(kept.error) === (entry.state === "failed");
      entries.push(same ? entry : shown(kept));
    }
    for (const each of found.values()) {
      if (this.#gone.has(each.id)) continue;
      this.#kept.set(each.id, true);
      this.#last = Math.max(this.#last, each.added);
      entries.push(shown(each));
    }
    for (const [id] of over) this.#gone.delete(id);
    this.#show(entries.sort((a, b) => a.added - b.added || (a.id < b.id ? -1 : 1)));
  }

  // --- other tabs ----------------------------------------------------------------------------------------

  #say(word: Word): void {
    this.#tabs?.postMessage(word);
  }

  #hear(word: Word): void {
    if (word.type === "changed") {
      this.#load().then(() => this.#wake());
      return;
    }
    const id = word.type === "failed" ? word.entry.id : word.id;
    if (word.type === "failed") {
      const entry = shown(word.entry);
      if (this.#find(id)) this.#put(entry);
      else this.#load(); // the word that it was added comes late
      this.#settle(id, entry.error);
      return;
    }
    this.#show(this.#cell.get().filter((each) => each.id !== id));
    this.#gone.set(id, true);
    this.#kept.delete(id);
    if (word.type === "done") this.#settle(id, undefined, word.result);
    else this.#settle(id, discarded());
  }

  // --- sending -------------------------------------------------------------------------------------------

  #connection(): void {
    const up = this.#client.connection.get().status === "connected";
    if (up === !this.#connected.signal.aborted) return;
    if (!up) return this.#connected.abort();
    this.#connected = new AbortController();
    this.#wake();
  }

  /** There is something to send, perhaps. */
  #wake(): void {
    this.#news();
    const { signal } = this.#connected;
    if (this.#sending || signal.aborted || this.#heads().length === 0) return;
    this.#sending = true;
    exclusively(this.#storage.name, signal, () => this.#send(signal))
      .catch((error) => signal.aborted || this.#report(error))
      .finally(() => {
        this.#sending = false;
        if (!this.#connected.signal.aborted) this.#wake();
      });
  }

  /** The first entry of each group that waits to be sent. */
  #heads(): OutboxEntry[] {
    const heads = new Map<string, OutboxEntry>();
    for (const each of this.#cell.get()) {
      if (each.state !== "failed" && !heads.has(each.group)) heads.set(each.group, each);
    }
    return [...heads.values()].filter((each) => this.#kept.has(each.id));
  }

  /** Send all there is, as long as the connection stands; nobody else does now. */
  async #send(signal: AbortSignal): Promise<void> {
    if (this.#storage.name !== undefined) await this.#load(); // another tab may have sent some just now
    const running = new Map<string, Promise<void>>();
    while (!signal.aborted) {
      const news = new Promise<void>((resolve) => {
        this.#news = resolve;
      });
      for (const entry of this.#heads()) {
        if (running.has(entry.group) || running.size >= GROUPS_AT_ONCE) continue;
        running.set(
          entry.group,
          this.#sendOne(entry, signal).finally(() => running.delete(entry.group)),
        );
      }
      if (running.size === 0) break;
      await Promise.race([news, ...running.values()]);
    }
    await Promise.all(running.values());
  }

  async #sendOne(entry: OutboxEntry, signal: AbortSignal): Promise<void> {
    const { id, method, params, key } = entry;
    this.#put({ ...entry, state: "sending" });
    try {
      const result = await this.#client.call(method, params, { key, signal });
      if (this.#gone.has(id)) return;
      this.#remove(id);
      this.#settle(id, undefined, result);
      this.#say({ type: "done", id, result });
    } catch (error) {
      if (this.#gone.has(id)) return;
      if (signal.aborted || (error instanceof HubbubError && error.code >= CODE.normal)) {
        // The connection is over: it may have arrived, and is sent again with its key.
        this.#put(entry);
        await pause(delay(1), signal);
      } else if (error instanceof HubbubError && error.temporary) {
        const attempts = entry.attempts + 1;
        this.#put({ ...entry, attempts, error });
        await pause(error.retryAfter ? error.retryAfter * 1000 + delay(1) : delay(attempts), signal);
      } else {
        this.#fail(entry, error);
      }
    }
  }

  #fail(entry: OutboxEntry, why: unknown): void {
    const { id, attempts } = entry;
    const refusal = { code: CODE.badRequest, name: "bad_request", message: text(why) };
    const error = why instanceof HubbubError ? why : new HubbubError(refusal); // what is no JSON cannot be sent
    const failed = { ...entry, attempts: attempts + 1, state: "failed", error } as const;
    this.#put(failed);
    this.#keep(stored(failed)).then(() => this.#say({ type: "failed", entry: stored(failed) }));
    this.#settle(id, error);
  }
}

function shown({ error, ...kept }: StoredEntry): OutboxEntry {
  const state = error ? "failed" : "queued";
  return Object.freeze({ ...kept, state, ...(error && { error: HubbubError.from(error) }) });
}

function stored({ state, error, ...entry }: OutboxEntry): StoredEntry {
  if (state !== "failed" || !error) return entry;
  const { code, name, message, temporary, retryAfter: retry_after, field } = error;
  return { ...entry, error: { code, name, message, temporary, retry_after, field } };
}

const discarded = () =>
  new HubbubError({ code: CODE.normal, name: "discarded", message: "it was discarded" });

function promised(): Settlement {
  let resolve: Settlement["resolve"] = () => {};
  let reject: Settlement["reject"] = () => {};
  const promise = new Promise<unknown>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => {}); // whoever waits for it is told; the entry says it, too
  return { promise, resolve, reject };
}

/** Wait so many milliseconds, or until the signal aborts. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    if (signal.aborted) done();
    else signal.addEventListener("abort", done);
  });
}

/** Do `work` while no other tab does. Rejects with an AbortError if its turn does not come before the signal aborts. */
async function exclusively(
  name: string | undefined,
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  const { locks } = (globalThis as { navigator?: { locks?: LockManager } }).navigator ?? {};
  if (name === undefined || !locks) return work();
  await locks.request(`hubbub-outbox:${name}`, { signal }, work);
}
