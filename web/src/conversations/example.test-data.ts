/** Conversations for tests. */

import type { ConversationView } from "hubbub/chat";

export function view(id: string, changes: Partial<ConversationView> = {}): ConversationView {
  return {
    id,
    conversation: { id, kind: "group", name: id },
    membership: { state: "joined", role: "member" },
    unread: 0,
    mentions: 0,
    muted: false,
    typing: [],
    ...changes,
  };
}
