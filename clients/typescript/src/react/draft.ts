import { useCallback, useMemo } from "react";
import type { Draft } from "../generated/chat.js";
import type { Maybe } from "./chat.js";
import { useChat } from "./provider.js";
import type { DraftInput } from "./source.js";
import { ABSENT, nothing, useView } from "./view.js";

/**
 * What was begun to be written, on this device or another one, and how to change it (null: it is thrown away).
 *
 * What is set is there at once; it is sent after a pause.
 */
export function useDraft(
  conversation: Maybe<string>,
  options: { thread?: number | undefined } = {},
): readonly [draft: Draft | undefined, setDraft: (draft: DraftInput | null) => void] {
  const chat = useChat();
  const { thread } = options;
  const view = useMemo(
    () => (conversation ? chat.draft(conversation, thread) : ABSENT),
    [chat, conversation, thread],
  );
  const draft = useView<Draft | undefined>(view, nothing);
  const setDraft = useCallback(
    (next: DraftInput | null) => {
      if (conversation) chat.setDraft(conversation, next, thread);
    },
    [chat, conversation, thread],
  );
  return [draft, setDraft];
}
