import { useMemo } from "react";
import { useChat } from "./provider.js";
import type { Chat, OutboxEntry } from "./source.js";
import { constant, useView } from "./view.js";

export interface OutboxState {
  /** What was written and is not with the server yet, oldest first; `failed` ones stay until somebody decides. */
  readonly entries: readonly OutboxEntry[];
  readonly retry: (id: string) => void;
  readonly discard: (id: string) => void;
}

const NONE = constant<readonly OutboxEntry[]>(Object.freeze([]));

/** What waits to be sent. */
export function useOutbox(): OutboxState {
  const outbox: Chat["outbox"] = useChat().outbox;
  const entries = useView<readonly OutboxEntry[]>(outbox.entries, NONE.get);
  return useMemo(
    () => ({
      entries,
      retry: (id: string) => outbox.retry(id),
      discard: (id: string) => outbox.discard(id),
    }),
    [entries, outbox],
  );
}
