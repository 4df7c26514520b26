import type { Permission } from "../generated/chat.js";
import { KINDS, NEEDED, RANKS } from "../generated/permissions.js";
import type { ConversationView } from "./shown.js";

/** Whether the user may do something in a conversation, by its role there: for what is shown; the server decides. */
export function allowed(
  view: Pick<ConversationView, "conversation" | "membership">,
  permission: Permission,
): boolean {
  const { conversation, membership } = view;
  const role = membership.state === "joined" ? (membership.role ?? "guest") : "guest";
  const needed =
    conversation.permissions?.[permission] ?? NEEDED[permission][KINDS.indexOf(conversation.kind)];
  return needed !== undefined && needed !== "nobody" && RANKS.indexOf(role) >= RANKS.indexOf(needed);
}
