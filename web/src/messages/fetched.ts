/** Messages that are quoted and not in the list: asked for once each. */

import type { Chat, Message } from "hubbub/chat";

const KEPT = 300;
const known = new WeakMap<Chat, Map<string, Promise<Message | null>>>();

/** A message as it was when it was first asked for; null where there is none that one may read. */
export function fetched(chat: Chat, conversation: string, message: number): Promise<Message | null> {
  let all = known.get(chat);
  if (all === undefined) {
    all = new Map();
    known.set(chat, all);
  }
  const key = `${conversation}/${message}`;
  let found = all.get(key);
  if (found === undefined) {
    found = chat.call("messages.get", { conversation, message }).catch(() => {
      all.delete(key); // another time it may be there
      return null;
    });
    all.set(key, found);
    const oldest = all.keys().next().value;
    if (all.size > KEPT && oldest !== undefined) all.delete(oldest);
  }
  return found;
}
