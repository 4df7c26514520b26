/** Where messages are, as addresses and names. */

import type { ConversationView, Message } from "hubbub/chat";
import { href, type Route } from "../app/routes.ts";
import { titleOf } from "../conversations/look.ts";

type Place = Pick<Message, "conversation" | "seq" | "thread">;

/** The route to a message: in the timeline, or in its thread. */
export function routeTo({ conversation, seq, thread }: Place): Route {
  return thread === undefined
    ? { view: "conversation", conversation, message: seq }
    : { view: "conversation", conversation, pane: { kind: "thread", root: thread, message: seq } };
}

export const hrefTo = (place: Place): string => href(routeTo(place));

/** What a conversation is called; its id where it is not known. */
export function nameOf(view: ConversationView | undefined, id: string, me: string | undefined): string {
  return view === undefined ? id : titleOf(view, me);
}
