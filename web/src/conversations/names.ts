/** Names of users, as hooks. */

import type { ConversationView, User } from "hubbub/chat";
import { useChat, useView } from "hubbub/react";
import { useCallback, useMemo, useRef, useSyncExternalStore } from "react";
import { type Names, titleOf } from "./look.ts";

/** One's own id; undefined until the first sync. */
export function useMyId(): string | undefined {
  return useView(useChat().me)?.user.id;
}

/** The title of a conversation; "" while there is none. */
export function useTitle(view: ConversationView | undefined): string {
  const me = useMyId();
  return view === undefined ? "" : titleOf(view, me);
}

/** What many users are called, kept true while the component is there. */
export function useNames(users: readonly string[]): Names {
  const chat = useChat();
  const key = [...new Set(users)].sort().join("\n");
  const views = useMemo(
    () => (key === "" ? [] : key.split("\n")).map((id) => [id, chat.user(id)] as const),
    [chat, key],
  );
  const subscribe = useCallback(
    (listener: () => void) => {
      const leave = views.map(([, view]) => view.subscribe(listener));
      return () => {
        for (const each of leave) each();
      };
    },
    [views],
  );
  const last = useRef<ReadonlyMap<string, User | undefined>>(new Map());
  const read = () => {
    const now = views.map(([id, view]) => [id, view.get()] as const);
    const same = now.length === last.current.size && now.every(([id, user]) => last.current.get(id) === user);
    if (!same) last.current = new Map(now);
    return last.current;
  };
  const known = useSyncExternalStore(subscribe, read, read);
  return useCallback((user) => known.get(user)?.name, [known]);
}
