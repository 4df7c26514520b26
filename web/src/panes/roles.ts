import { allowed, type ConversationView, type Role } from "hubbub/chat";

/** From the greatest to the least. */
export const ROLES: readonly Role[] = ["owner", "admin", "moderator", "member", "reader"];

const rank = (role: Role | undefined): number => ROLES.length - ROLES.indexOf(role ?? "member");

/** The roles that one can give to a member who has `role`; [] for those one stands not above. The server decides. */
export function rolesToGive(view: ConversationView, role: Role | undefined, self: boolean): readonly Role[] {
  if (view.conversation.kind === "direct") return [];
  const mine = view.membership.role ?? "member";
  const others = ROLES.filter((each) => each !== (role ?? "member"));
  if (self) return others.filter((each) => rank(each) < rank(mine)); // everybody can step down
  if (!allowed(view, "manage")) return [];
  if (mine === "owner") return others;
  return rank(mine) > rank(role) ? others.filter((each) => rank(each) < rank(mine)) : [];
}

/** Whether one may remove a member with this role. */
export function canRemove(view: ConversationView, role: Role | undefined, self: boolean): boolean {
  if (self || view.conversation.kind === "direct" || !allowed(view, "remove")) return false;
  const mine = view.membership.role ?? "member";
  return mine === "owner" || rank(mine) > rank(role);
}
