import { useMemo } from "react";
import type { Outbox, OutboxEntry } from "../core/outbox.js";
import { useChat } from "./provider.js";
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
  const outbox: Outbox = useChat().outbox;
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
