/** What lists of conversations show: what is kept of each, with what is known elsewhere. */

import { derived, type View } from "../core/view.js";
import type { Conversation, Message, MyMembership, User } from "../generated/chat.js";
import type { ShownDraft } from "./drafts.js";
import { type ConversationState, place } from "./state.js";
import type { Store } from "./store.js";

/** A conversation as its user sees it. The object stays the same until something of it changes. */
export interface ConversationView {
  readonly id: string;
  readonly conversation: Conversation;
  /** What it is to the user: role, cursors, settings. `state` is `invited` for what waits for an answer. */
  readonly membership: MyMembership;
  /** Messages of the main timeline, and those among them that mention the user. */
  readonly unread: number;
  readonly mentions: number;
  /** Muted at this time. */
  readonly muted: boolean;
  /** Who types in the main timeline. */
  readonly typing: readonly string[];
  readonly draft?: ShownDraft;
  readonly lastMessage?: Message;
  /** The other one of a direct conversation; only the `id` until the profile is here. */
  readonly peer?: User;
}

/** What is unread in all conversations that are neither muted nor archived. */
export interface Unread {
  readonly messages: number;
  readonly mentions: number;
  readonly conversations: number;
}

interface Sources {
  readonly store: Store;
  readonly users: View<ReadonlyMap<string, User>>;
  readonly typing: View<ReadonlyMap<string, readonly string[]>>;
  readonly drafts: View<ReadonlyMap<string, ShownDraft>>;
  /** Seconds since the epoch. */
  readonly time: () => number;
}

const NOBODY: readonly string[] = Object.freeze([]);

/** Makes what is shown, and keeps what did not change. */
export class Shown {
  readonly list: View<readonly ConversationView[]>;
  readonly unread: View<Unread>;
  readonly #all: View<ReadonlyMap<string, ConversationView>>;
  readonly #made = new Map<string, { readonly of: readonly unknown[]; readonly view: ConversationView }>();
  readonly #time: () => number;

  constructor({ store, users, typing, drafts, time }: Sources) {
    this.#time = time;
    const conversations = store.select((state) => state.conversations);
    this.#all = derived([conversations, users, typing, drafts], (all, people, typists, written) => {
      const views = new Map<string, ConversationView>();
      for (const [id, known] of all) views.set(id, this.#view(id, known, people, typists, written));
      for (const id of this.#made.keys()) if (!all.has(id)) this.#made.delete(id);
      return views;
    });
    this.list = derived(
      [this.#all, conversations],
      (views, all) =>
        Object.freeze(
          [...views.values()]
            .filter((each) => !all.get(each.id)?.guest)
            .sort(
              (a, b) =>
                (b.conversation.last_activity ?? 0) - (a.conversation.last_activity ?? 0) ||
                (a.id < b.id ? 1 : -1),
            ),
        ),
      (one, other) => one.length === other.length && one.every((each, at) => each === other[at]),
    );
    this.unread = derived(
      [this.list],
      total,
      (one, other) =>
        one.messages === other.messages &&
        one.mentions === other.mentions &&
        one.conversations === other.conversations,
    );
  }

  of(id: string): View<ConversationView | undefined> {
    return derived([this.#all], (all) => all.get(id));
  }

  #view(
    id: string,
    known: ConversationState,
    users: ReadonlyMap<string, User>,
    typing: ReadonlyMap<string, readonly string[]>,
    drafts: ReadonlyMap<string, ShownDraft>,
  ): ConversationView {
    const key = place(id, undefined);
    const { conversation, membership, peer } = known;
    const last = known.last === undefined ? undefined : known.book.get(known.last);
    const user = peer === undefined ? undefined : users.get(peer);
    const draft = drafts.get(key);
    const typists = typing.get(key) ?? NOBODY;
    const muted = (membership.muted_until ?? 0) > this.#time();
    const of = [conversation, membership, last, user, draft, typists, muted];
    const before = this.#made.get(id);
    if (before?.of.every((each, at) => each === of[at])) return before.view;
    const view: ConversationView = Object.freeze({
      id,
      conversation,
      membership,
      unread: membership.unread ?? 0,
      mentions: membership.mentions ?? 0,
      muted,
      typing: typists,
      ...(draft && { draft }),
      ...(last && { lastMessage: last }),
      ...(peer !== undefined && { peer: user ?? { id: peer } }),
    });
    this.#made.set(id, { of, view });
    return view;
  }
}

function total(all: readonly ConversationView[]): Unread {
  let [messages, mentions, conversations] = [0, 0, 0];
  for (const { unread, mentions: named, muted, membership } of all) {
    if (muted || membership.archived || membership.state !== "joined") continue;
    messages += unread;
    mentions += named;
    conversations += unread > 0 ? 1 : 0;
  }
  return { messages, mentions, conversations };
}
