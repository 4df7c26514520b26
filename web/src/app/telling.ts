/** Of what one is told. Pure. */

import type { ConversationView } from "hubbub/chat";
import type { Settings } from "../settings/choices.ts";

/** What was known of a conversation before. */
export interface Before {
  readonly last: number;
  readonly unread: number;
  readonly mentions: number;
}

/** Whether somebody is to be told of what is new in a conversation. Pure. */
export function worthTelling(
  view: ConversationView,
  before: Before | undefined,
  me: string,
  chosen: Pick<Settings, "notifications">,
): boolean {
  const last = view.lastMessage;
  if (before === undefined || last === undefined || last.seq <= before.last) return false;
  if (last.sender === undefined || last.sender === null || last.sender === me) return false;
  if (last.options?.silent === true || chosen.notifications === "none") return false;
  const mentioned = view.mentions > before.mentions;
  if (view.muted && !mentioned) return false;
  if (chosen.notifications === "mentions" && !mentioned && view.conversation.kind !== "direct") return false;
  return view.unread > before.unread || mentioned;
}

/** What is to be remembered of a conversation, to tell later what is new. */
export const stateOf = (view: ConversationView): Before => ({
  last: view.lastMessage?.seq ?? 0,
  unread: view.unread,
  mentions: view.mentions,
});
