import { Cell, derived, type View } from "../core/view.js";
import type { Draft, Mentions, MentionWhom, Part, PartInput } from "../generated/chat.js";
import { type Context, isFinal } from "./context.js";
import { applyDraft } from "./inbox.js";
import { amended } from "./log.js";
import { drop, place, put } from "./state.js";
import { Views } from "./store.js";

/** Milliseconds without a change after which a draft is kept. */
const PAUSE = 800;

/** What is written so far. */
export interface DraftContent {
  readonly text?: string | undefined;
  readonly parts?: readonly PartInput[] | undefined;
  readonly mentions?: MentionWhom | undefined;
  readonly replyTo?: number | undefined;
}

/** A draft; with `conflict` another device has written something else meanwhile: show both. To set it again is to decide. */
export interface ShownDraft extends Draft {
  readonly conflict?: Draft | undefined;
}

interface Mine {
  readonly conversation: string;
  readonly thread: number | undefined;
  /** As it is here; undefined: it was removed. */
  readonly draft: ShownDraft | undefined;
  /** What the server is expected to have: `updated`, 0 for nothing. */
  readonly expected: number;
}

/** What the user has begun to write: shown at once, kept when it pauses, on all of its devices. */
export class Drafts {
  readonly #context: Context;
  /** Those that the server does not have yet. */
  readonly #mine = new Cell<ReadonlyMap<string, Mine>>(new Map());
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #saving = new Set<string>();
  readonly #views: Views<View<ShownDraft | undefined>>;
  /** By conversation and thread (`place`): the server's, and in their place those that are written here. */
  readonly all: View<ReadonlyMap<string, ShownDraft>>;

  constructor(context: Context) {
    this.#context = context;
    this.all = derived([context.store.select((state) => state.drafts), this.#mine], (theirs, mine) => {
      if (mine.size === 0) return theirs;
      const all = new Map<string, ShownDraft>(theirs);
      for (const [key, { draft }] of mine) draft ? all.set(key, draft) : all.delete(key);
      return all;
    });
    this.#views = new Views((key) => derived([this.all], (all) => all.get(key)));
  }

  of(conversation: string, thread: number | undefined): View<ShownDraft | undefined> {
    return this.#views.of(place(conversation, thread));
  }

  /** What is written now; undefined or nothing at all removes it. */
  set(conversation: string, content: DraftContent | undefined, thread: number | undefined): void {
    const key = place(conversation, thread);
    const before = this.#mine.get().get(key);
    const known = this.#context.store.state.get().drafts.get(key);
    const draft = content && drafted(conversation, thread, content, this.#context.client.time());
    // Who has been shown a conflict has seen what is there.
    const expected = before?.draft?.conflict?.updated ?? before?.expected ?? known?.updated ?? 0;
    if (!draft && !known && !before) return;
    this.#mine.update((all) => put(all, key, { conversation, thread, draft, expected }));
    clearTimeout(this.#timers.get(key));
    this.#timers.set(
      key,
      setTimeout(() => void this.#save(key), draft ? PAUSE : 0),
    );
  }

  /** Keep now what waits to be kept, as when the page is left. */
  async flush(): Promise<void> {
    await Promise.all([...this.#timers.keys()].map((key) => this.#save(key)));
  }

  stop(): void {
    for (const each of this.#timers.values()) clearTimeout(each);
    this.#timers.clear();
  }

  async #save(key: string): Promise<void> {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    const mine = this.#mine.get().get(key);
    if (!mine) return;
    if (this.#saving.has(key) || !this.#context.live()) {
      this.#timers.set(
        key,
        setTimeout(() => void this.#save(key), PAUSE),
      );
      return;
    }
    this.#saving.add(key);
    try {
      await this.#tell(key, mine);
    } catch (error) {
      const refused = isFinal(error);
      if (refused && error.name === "conflict") await this.#conflict(key, mine);
      else if (refused) this.#settle(key, mine);
      else
        this.#timers.set(
          key,
          setTimeout(() => void this.#save(key), PAUSE),
        );
      if (refused && error.name !== "conflict") this.#context.failed(error);
    } finally {
      this.#saving.delete(key);
    }
  }

  async #tell(key: string, mine: Mine): Promise<void> {
    const { call, store } = this.#context;
    const { conversation, thread, draft, expected } = mine;
    if (!draft) {
      await call("drafts.remove", { conversation, thread, expected });
      store.update((state) => {
        const known = state.drafts.get(key);
        return known && known.updated <= expected ? { ...state, drafts: drop(state.drafts, key) } : state;
      });
      this.#settle(key, mine, 0);
      return;
    }
    const { parts = [], mentions, reply_to } = draft;
    const { updated } = await call("drafts.set", {
      conversation,
      thread,
      parts,
      mentions,
      reply_to,
      expected,
    });
    const { conflict: _, ...kept } = draft;
    store.update((state) => applyDraft(state, { ...kept, updated }));
    this.#settle(key, mine, updated);
  }

  /** The server has what was saved; what was written meanwhile comes next. */
  #settle(key: string, saved: Mine, updated?: number): void {
    this.#mine.update((all) => {
      const now = all.get(key);
      if (now === saved) return drop(all, key);
      return now && updated !== undefined ? put(all, key, { ...now, expected: updated }) : all;
    });
  }

  async #conflict(key: string, mine: Mine): Promise<void> {
    const { call, store } = this.#context;
    const { conversation, thread } = mine;
    const { drafts } = await call("drafts.list", { conversation });
    const theirs = drafts.find((each) => each.thread === thread);
    store.update((state) =>
      theirs ? applyDraft(state, theirs) : { ...state, drafts: drop(state.drafts, key) },
    );
    this.#mine.update((all) => {
      const now = all.get(key);
      if (!now) return all;
      // What was removed elsewhere is written anew; what was to be removed here and is another by now stays.
      if (!now.draft) return drop(all, key);
      return put(all, key, {
        ...now,
        expected: theirs?.updated ?? 0,
        draft: theirs ? { ...now.draft, conflict: theirs } : now.draft,
      });
    });
    if (!theirs)
      this.#timers.set(
        key,
        setTimeout(() => void this.#save(key), 0),
      );
  }
}

function drafted(
  conversation: string,
  thread: number | undefined,
  content: DraftContent,
  updated: number,
): Draft | undefined {
  const { text, parts = [], mentions, replyTo } = content;
  const all = [...(text ? [{ type: "text", text }] : []), ...parts] as readonly Part[];
  if (all.length === 0 && !mentions && replyTo === undefined) return undefined;
  return amended<Draft>(
    { conversation, updated, parts: all },
    { thread, mentions: mentions as Mentions | undefined, reply_to: replyTo },
  );
}
