/** What the events of a user's inbox do. Pure. */

import type {
  Bookmark,
  Draft,
  InboxEvent,
  MyConversation,
  MyMembership,
  RestrictionChanged,
} from "../generated/chat.js";
import { hide, mentioned } from "./log.js";
import {
  begun,
  type ChatState,
  type ConversationState,
  drop,
  MAIN,
  patch,
  place,
  put,
  stale,
  without,
} from "./state.js";
import { lowerBound, segmentAt } from "./timeline.js";

/** What is unread after the seq `read`, as far as all messages from there on are known. */
export function unreadAfter(
  conversation: ConversationState,
  read: number,
  user: string,
): { unread: number; mentions: number } | undefined {
  const segment = segmentAt(conversation.timelines.get(MAIN), Number.POSITIVE_INFINITY);
  if (segment === undefined || segment.from > read + 1 || conversation.hidden.size > 0) return undefined;
  let unread = 0;
  let mentions = 0;
  for (const seq of segment.seqs.slice(lowerBound(segment.seqs, read + 1))) {
    const message = conversation.book.get(seq);
    if (message?.number === undefined || message.deleted !== undefined) continue;
    const named = mentioned(message, user);
    if (named === undefined) return undefined;
    unread += 1;
    mentions += named ? 1 : 0;
  }
  return { unread, mentions };
}

/** What a conversation is to the user now. Counts that other events contradict are to be asked for. */
export function applyMembership(state: ChatState, id: string, membership: MyMembership): ChatState {
  return patch(state, id, (conversation) => {
    const read = membership.read ?? 0;
    // What comes in the answer to a mark may be older than what is known.
    if (read < (conversation.membership.read ?? 0)) return { ...conversation, unsure: true };
    const counted = unreadAfter(conversation, read, state.user);
    const { unread = 0, mentions = 0 } = membership;
    const unsure = counted !== undefined && (counted.unread !== unread || counted.mentions !== mentions);
    return { ...conversation, membership, unsure: conversation.unsure || unsure };
  });
}

/** The user has read up to a message: as it will be when the server knows. */
export function applyRead(state: ChatState, id: string, seq: number): ChatState {
  return patch(state, id, (conversation) => {
    const { membership } = conversation;
    const counted = unreadAfter(conversation, seq, state.user);
    if (seq <= (membership.read ?? 0) || !counted) return conversation;
    const { unread: _, mentions: __, ...rest } = membership;
    const counts = {
      ...(counted.unread && { unread: counted.unread }),
      ...(counted.mentions && { mentions: counted.mentions }),
    };
    const delivered = Math.max(membership.delivered ?? 0, seq);
    return { ...conversation, membership: { ...rest, ...counts, read: seq, delivered } };
  });
}

/** A conversation that the user is in from now on, or is asked into. */
export function applyAdded(state: ChatState, mine: MyConversation): ChatState {
  const { id, seq = 0 } = mine.conversation;
  const known = state.conversations.get(id);
  if (known && !known.guest && known.membership.state === mine.membership.state && known.seq >= seq)
    return state;
  return { ...state, conversations: put(state.conversations, id, begun(mine, seq, known)) };
}

/** A conversation that the user is in no more, with all that it has kept there. */
export function applyRemoved(state: ChatState, id: string): ChatState {
  const there = (each: { readonly conversation: string }) => each.conversation === id;
  return {
    ...state,
    conversations: drop(state.conversations, id),
    threads: without(state.threads, there),
    bookmarks: without(state.bookmarks, there),
    drafts: without(state.drafts, there),
  };
}

/** A message that the user has deleted for itself; with it goes its thread. */
export function applyHidden(state: ChatState, id: string, message: number): ChatState {
  const next = patch(state, id, (each) => (each.hidden.has(message) ? each : hide(each, message)));
  return { ...next, threads: drop(next.threads, place(id, message)) };
}

export function applyBookmark(state: ChatState, bookmark: Bookmark): ChatState {
  const key = place(bookmark.conversation, bookmark.message);
  const { bookmarks } = state;
  return { ...state, bookmarks: bookmark.removed ? drop(bookmarks, key) : put(bookmarks, key, bookmark) };
}

export function applyDraft(state: ChatState, draft: Draft): ChatState {
  const key = place(draft.conversation, draft.thread);
  const known = state.drafts.get(key);
  if (known && known.updated > draft.updated) return state;
  return { ...state, drafts: draft.removed ? drop(state.drafts, key) : put(state.drafts, key, draft) };
}

function applyRestriction(state: ChatState, event: RestrictionChanged): ChatState {
  const { kind, conversation, until, reason, lifted, time } = event;
  const others = state.restrictions.filter(
    (each) => each.kind !== kind || each.conversation !== conversation,
  );
  const mine = {
    user: state.user,
    kind,
    created: time,
    ...(conversation !== undefined && { conversation }),
    ...(until !== undefined && { until }),
    ...(reason && { reason }),
  };
  return { ...state, restrictions: lifted ? others : [...others, mine] };
}

/** The state after an event of the inbox. One that is known changes nothing. */
export function applyInbox(state: ChatState, event: InboxEvent): ChatState {
  return event.seq <= state.inbox ? state : { ...applied(state, event), inbox: event.seq };
}

function applied(state: ChatState, event: InboxEvent): ChatState {
  switch (event.type) {
    case "conversation.added":
      return applyAdded(state, event.conversation);
    case "conversation.removed":
      return applyRemoved(state, event.conversation);
    case "membership.updated":
      return applyMembership(state, event.conversation, event.membership);
    case "message.hidden":
      return applyHidden(state, event.conversation, event.message);
    case "thread.updated": {
      const key = place(event.conversation, event.thread);
      const known = state.threads.get(key);
      if (!event.following) return { ...state, threads: drop(state.threads, key) };
      // How many replies are unread then is for the server to say, unless it is none.
      if (known && event.read >= known.read && known.unread === 0) {
        return { ...state, threads: put(state.threads, key, { ...known, read: event.read }) };
      }
      return stale(state, "threads");
    }
    case "user.updated":
      return stale(state, "me");
    case "blocks.changed": {
      const block = { user: event.user, created: event.time };
      return {
        ...state,
        blocks: event.blocked ? put(state.blocks, event.user, block) : drop(state.blocks, event.user),
      };
    }
    case "restriction.changed":
      return applyRestriction(state, event);
    case "hold.changed": {
      const known = state.holds.get(event.hold);
      if (!known) return state;
      const hold = {
        ...known,
        state: event.state,
        decided: event.time,
        ...(event.message && { sent: event.message }),
      };
      return { ...state, holds: put(state.holds, event.hold, hold) };
    }
    case "scheduled.changed": {
      const { scheduled } = event;
      const there = (event.state ?? "scheduled") === "scheduled";
      const next = there
        ? put(state.scheduled, scheduled.id, scheduled)
        : drop(state.scheduled, scheduled.id);
      return { ...state, scheduled: next };
    }
    case "scheduled.failed":
      return { ...state, scheduled: put(state.scheduled, event.scheduled.id, event.scheduled) };
    case "reminder.changed":
    case "reminder.due": {
      const { reminder } = event;
      const gone = event.type === "reminder.changed" && event.removed;
      return {
        ...state,
        reminders: gone ? drop(state.reminders, reminder.id) : put(state.reminders, reminder.id, reminder),
      };
    }
    case "bookmark.changed":
      return applyBookmark(state, event.bookmark);
    case "draft.changed":
      return applyDraft(state, event.draft);
    default:
      return state;
  }
}
