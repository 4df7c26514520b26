import { useCallback, useMemo } from "react";
import type { DraftContent, ShownDraft } from "../chat/drafts.js";
import type { Maybe } from "./chat.js";
import { useChat } from "./provider.js";
import { ABSENT, nothing, useView } from "./view.js";

/**
 * What was begun to be written, on this device or another one, and how to change it (undefined: it is thrown away).
 *
 * What is set is shown at once and kept after a pause. `conflict` is what another device has written meanwhile.
 */
export function useDraft(
  conversation: Maybe<string>,
  options: { thread?: number | undefined } = {},
): readonly [draft: ShownDraft | undefined, setDraft: (content: DraftContent | undefined) => void] {
  const chat = useChat();
  const { thread } = options;
  const view = useMemo(
    () => (conversation ? chat.draft(conversation, thread) : ABSENT),
    [chat, conversation, thread],
  );
  const draft = useView<ShownDraft | undefined>(view, nothing);
  const setDraft = useCallback(
    (content: DraftContent | undefined) => {
      if (conversation) chat.setDraft(conversation, content, thread);
    },
    [chat, conversation, thread],
  );
  return [draft, setDraft];
}
