/** What a sync does. Pure. */

import type { MyThread, SyncConversation, SyncPage } from "../generated/chat.js";
import { applyBookmark, applyDraft, applyHidden, applyRemoved } from "./inbox.js";
import { applyLog, applyReceipts, hide } from "./log.js";
import {
  begun,
  type ChatState,
  type ConversationState,
  drop,
  EMPTY,
  MAIN,
  patch,
  place,
  put,
  stale,
  type ThreadState,
} from "./state.js";
import type { Segment } from "./timeline.js";

/** A thread as it is kept, if it is followed. */
export function threadOf({ root, read = 0, unread = 0 }: MyThread): ThreadState {
  return { conversation: root.conversation, root, read, unread };
}

/**
 * The state after a page of a sync. `positions` are the seqs that were given: of those conversations the page has the
 * events since then, if they were not too many. `first`: it is the first page.
 */
export function applySync(
  state: ChatState,
  page: SyncPage,
  positions: Readonly<Record<string, number>>,
  first: boolean,
): ChatState {
  const fresh = first && (page.reset || state.token === undefined);
  let next = fresh ? { ...EMPTY, user: state.user } : state;
  for (const each of page.conversations ?? []) {
    next = applyChanged(next, each, positions[each.conversation.conversation.id], state);
  }
  for (const mine of page.invitations ?? []) {
    const { id, seq = 0 } = mine.conversation;
    next = {
      ...next,
      conversations: put(next.conversations, id, begun(mine, seq, state.conversations.get(id))),
    };
  }
  for (const id of page.removed ?? []) next = applyRemoved(next, id);
  for (const each of page.receipts ?? []) {
    next = patch(applyReceipts(next, each), each.conversation, (one) => ({ ...one, complete: true }));
  }
  if (first) next = applyRest(next, page, fresh, state);
  return { ...next, token: page.token };
}

function applyChanged(
  state: ChatState,
  changed: SyncConversation,
  position: number | undefined,
  before: ChatState,
): ChatState {
  const { conversation: mine, seq, events = [], messages = [], hidden = [] } = changed;
  const { id } = mine.conversation;
  const known = state.conversations.get(id);
  const floor = mine.membership.visible ?? 0;
  const paged = messages.length > 0 || changed.too_far || changed.more_before || position === undefined;
  if (!known || paged || position < floor || known.seq < (position ?? 0)) {
    const begins = begun(mine, seq, before.conversations.get(id));
    const next = messages.length > 0 ? tailed(begins, changed) : begins;
    return { ...state, conversations: put(state.conversations, id, next) };
  }
  let next = state;
  for (const event of events) next = applyLog(next, event);
  return patch(next, id, (one) => {
    let shown = one;
    for (const each of hidden) if (!shown.hidden.has(each)) shown = hide(shown, each);
    const last = mine.last_message;
    const { conversation, membership, peer } = mine;
    // What it was at the snapshot; what was withheld from events is still to be asked for.
    const book = last && !shown.book.has(last.seq) ? shown.book.with(last) : shown.book;
    const unsure = shown.generation !== known.generation && shown.unsure;
    return { ...shown, conversation, membership, peer, seq, last: last?.seq, book, unsure, guest: false };
  });
}

function tailed(
  conversation: ConversationState,
  { messages = [], more_before }: SyncConversation,
): ConversationState {
  const seqs = messages.map((each) => each.seq);
  const segment: Segment = { from: more_before ? (seqs[0] ?? 0) : 0, to: Number.POSITIVE_INFINITY, seqs };
  return {
    ...conversation,
    timelines: new Map([[MAIN, [segment]]]),
    book: conversation.book.with(...messages),
  };
}

/** What is not of single conversations. */
function applyRest(state: ChatState, page: SyncPage, fresh: boolean, before: ChatState): ChatState {
  let next = { ...state, me: page.me ?? state.me };
  for (const each of page.threads ?? []) {
    const key = place(each.root.conversation, each.root.seq);
    const shown =
      each.following && !next.conversations.get(each.root.conversation)?.hidden.has(each.root.seq);
    const threads = shown ? put(next.threads, key, threadOf(each)) : drop(next.threads, key);
    next = { ...next, threads };
  }
  if (page.blocks) next = { ...next, blocks: new Map(page.blocks.map((each) => [each.user, each])) };
  if (page.scheduled) next = { ...next, scheduled: new Map(page.scheduled.map((each) => [each.id, each])) };
  if (page.reminders) next = { ...next, reminders: new Map(page.reminders.map((each) => [each.id, each])) };
  if (page.restrictions) next = { ...next, restrictions: page.restrictions };
  for (const each of page.holds ?? []) next = { ...next, holds: put(next.holds, each.id, each) };
  if (page.bookmarks === null) next = stale(next, "bookmarks");
  for (const each of page.bookmarks ?? []) next = applyBookmark(next, each);
  if (page.drafts === null) next = stale(next, "drafts");
  for (const each of page.drafts ?? []) next = applyDraft(next, each);
  if (page.catalogue) next = stale(next, "catalogue");
  if (!fresh) {
    // Of what the inbox tells, the page has all but which messages were hidden.
    if (page.inbox_events === undefined) next = { ...next, conversations: unread(next, before) };
    for (const event of page.inbox_events ?? []) {
      if (event.type === "message.hidden") next = applyHidden(next, event.conversation, event.message);
    }
  }
  return { ...next, inbox: page.inbox ?? 0 };
}

/** All conversations without their messages, but for those that have just come. */
function unread(state: ChatState, before: ChatState): ReadonlyMap<string, ConversationState> {
  const bare = (each: ConversationState) => ({
    ...each,
    timelines: new Map(),
    generation: each.generation + 1,
  });
  return new Map(
    [...state.conversations].map(([id, each]) => [
      id,
      each.generation === before.conversations.get(id)?.generation && each.timelines.size > 0
        ? bare(each)
        : each,
    ]),
  );
}
