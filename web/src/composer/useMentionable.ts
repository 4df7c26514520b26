import type { User } from "hubbub/chat";
import { allowed } from "hubbub/chat";
import { useChat, useConversation, useView } from "hubbub/react";
import { useEffect, useMemo, useState } from "react";
import type { Mentionable } from "./mentions.ts";

const PAGE = 100;
const KEPT = new Map<string, readonly string[]>();

/** Who can be mentioned in a conversation: asked for when `wanted`, and then known. */
export function useMentionable(conversation: string, wanted: boolean) {
  const chat = useChat();
  const view = useConversation(conversation);
  const [members, setMembers] = useState<readonly string[]>(KEPT.get(conversation) ?? []);
  const [people, setPeople] = useState<ReadonlyMap<string, User>>(new Map());
  const count = view?.conversation.members;
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again when there are more members
  useEffect(() => {
    if (!wanted) return;
    let current = true;
    const ask = async () => {
      const page = await chat.call("members.list", { conversation, limit: PAGE });
      const ids = page.members.map((each) => each.user);
      const found = ids.length === 0 ? { users: [] } : await chat.call("users.query", { ids });
      KEPT.set(conversation, ids);
      if (!current) return;
      setMembers(ids);
      setPeople(new Map(found.users.map((user) => [user.id, user])));
    };
    ask().catch(() => undefined); // without it nobody is offered
    return () => {
      current = false;
    };
  }, [chat, conversation, wanted, count]);
  const { groups } = useView(chat.catalogue);
  const everyone = view !== undefined && view.conversation.kind !== "direct" && allowed(view, "mention_all");
  const can = useMemo<Mentionable>(
    () => ({ users: new Set(members), groups: new Set(groups.keys()), everyone }),
    [members, groups, everyone],
  );
  return { can, people, groups };
}
