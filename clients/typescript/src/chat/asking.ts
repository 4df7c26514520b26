import { type Context, isFinal, pages } from "./context.js";
import { applyConversation, applyMessages } from "./pages.js";
import { type ChatState, type ConversationState, patch, place, type Stale, stale } from "./state.js";
import { threadOf } from "./sync.js";

/** Members up to whose number all of them are asked how far they have read. */
const NAMED = 100;
/** Milliseconds for which counters may be unsure. */
const PATIENCE = 150;
/** Milliseconds after which it is asked again for what was refused for the moment. */
const AGAIN = 1_000;

/** Asks for what events do not tell, as soon as the state says that it is missing. */
export class Asking {
  readonly #context: Context;
  readonly #catalogue: () => void;
  readonly #busy = new Set<string>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #seen: ReadonlyMap<string, ConversationState> = new Map();
  #leave: (() => void) | undefined;

  constructor(context: Context, catalogue: () => void) {
    this.#context = context;
    this.#catalogue = catalogue;
  }

  start(): void {
    this.#leave ??= this.#context.whileLive(this.look);
  }

  stop(): void {
    this.#leave?.();
    this.#leave = undefined;
    for (const each of this.#timers) clearTimeout(each);
    this.#timers.clear();
    this.#busy.clear();
  }

  /** Whether everything has been asked for and answered. */
  get idle(): boolean {
    return this.#busy.size === 0;
  }

  readonly look = (): void => {
    if (!this.#context.live() || !this.#leave) return;
    const { stale: all, conversations } = this.#context.store.state.get();
    for (const each of all) this.#once(each, 0, () => this.#refresh(each));
    for (const [id, each] of conversations) {
      if (this.#seen.get(id) === each) continue;
      if (each.wanted.length > 0) this.#once(`wanted ${id}`, 0, () => this.#messages(id));
      if (each.unsure) this.#once(`unsure ${id}`, PATIENCE, () => this.#conversation(id));
      if (needsReaders(each)) this.#once(`readers ${id}`, 0, () => this.#readers(id));
    }
    this.#seen = conversations;
  };

  #once(what: string, wait: number, act: () => Promise<void>): void {
    if (this.#busy.has(what)) return;
    this.#busy.add(what);
    const timer = setTimeout(async () => {
      this.#timers.delete(timer);
      let pause = 0;
      try {
        await act();
      } catch (error) {
        if (isFinal(error)) this.#context.failed(error);
        pause = AGAIN;
      }
      const later = setTimeout(() => {
        this.#timers.delete(later);
        this.#busy.delete(what);
        this.#seen = new Map();
        this.look();
      }, pause);
      this.#timers.add(later);
    }, wait);
    this.#timers.add(timer);
  }

  async #messages(id: string): Promise<void> {
    const { call, read, store } = this.#context;
    const asked = store.state.get().conversations.get(id)?.wanted ?? [];
    const ask = async () => {
      const found = await Promise.all(
        asked.map((message) =>
          call("messages.get", { conversation: id, message }).catch((error: unknown) => {
            if (!isFinal(error)) throw error;
            return undefined;
          }),
        ),
      );
      return found.filter((each) => each !== undefined);
    };
    await read(id, ask, (state, found, since) => applyMessages(state, id, found, asked, since));
  }

  async #conversation(id: string): Promise<void> {
    const { call, store } = this.#context;
    const before = store.state.get().conversations.get(id)?.membership;
    try {
      const mine = await call("conversations.get", { conversation: id });
      // What was heard meanwhile is newer than the answer, perhaps: again.
      if (store.state.get().conversations.get(id)?.membership !== before) return;
      store.update((state) => applyConversation(state, mine));
    } catch (error) {
      if (!isFinal(error)) throw error;
      store.update((state) => patch(state, id, (one) => ({ ...one, unsure: false })));
    }
  }

  async #readers(id: string): Promise<void> {
    const { call, read } = this.#context;
    const ask = () =>
      pages((cursor) => call("members.list", { conversation: id, state: "joined", cursor })).catch(
        (error: unknown) => {
          if (!isFinal(error)) throw error;
          return [];
        },
      );
    await read(id, ask, (state, found, since) =>
      patch(state, id, (one) => {
        const readers = new Map(one.readers);
        for (const { user, read: at = 0, delivered = 0 } of found.flatMap((each) => each.members)) {
          const old = one.readers.get(user);
          const receipt = {
            user,
            read: Math.max(at, old?.read ?? 0),
            delivered: Math.max(delivered, old?.delivered ?? 0),
          };
          readers.set(user, receipt);
        }
        for (const event of since) {
          if (event.type === "member.changed" && event.member.state === "left")
            readers.delete(event.member.user);
        }
        return { ...one, readers, complete: true };
      }),
    );
  }

  async #refresh(what: Stale): Promise<void> {
    const { call, store } = this.#context;
    // First, so that what is heard meanwhile has it asked for again.
    store.update((state) => ({ ...state, stale: new Set([...state.stale].filter((each) => each !== what)) }));
    try {
      const change = await this.#answer(what, call);
      store.update(change);
    } catch (error) {
      if (!isFinal(error)) store.update((state) => stale(state, what));
      throw error;
    }
  }

  async #answer(what: Stale, call: Context["call"]): Promise<(state: ChatState) => ChatState> {
    switch (what) {
      case "me": {
        const me = await call("me.get", {});
        return (state) => ({ ...state, me });
      }
      case "threads": {
        const { threads } = await call("threads.list", {});
        const found = new Map(
          threads.map((each) => [place(each.root.conversation, each.root.seq), threadOf(each)]),
        );
        return (state) => ({ ...state, threads: found, allThreads: true });
      }
      case "bookmarks": {
        const found = await pages((cursor) => call("bookmarks.list", { cursor }));
        const all = found.flatMap((page) => page.bookmarks.map((each) => each.bookmark));
        const bookmarks = new Map(all.map((each) => [place(each.conversation, each.message), each]));
        return (state) => ({ ...state, bookmarks });
      }
      case "drafts": {
        const found = await pages((cursor) => call("drafts.list", { cursor }));
        const all = found.flatMap((page) => page.drafts);
        const drafts = new Map(all.map((each) => [place(each.conversation, each.thread), each]));
        return (state) => ({ ...state, drafts });
      }
      case "catalogue":
        this.#catalogue();
        return (state) => state;
    }
  }
}

function needsReaders(each: ConversationState): boolean {
  const { membership, conversation, complete, counts, guest } = each;
  return (
    !guest && !complete && !counts && membership.state === "joined" && (conversation.members ?? 0) <= NAMED
  );
}
