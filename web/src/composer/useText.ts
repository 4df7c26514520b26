import type { DraftContent } from "hubbub/chat";
import { useDraft } from "hubbub/react";
import { useCallback, useEffect, useRef, useState } from "react";

/** What is written in a composer: at once here, and as a draft on all devices. */
export function useText(conversation: string, thread: number | undefined) {
  const [draft, setDraft] = useDraft(conversation, { thread });
  const first = draft?.parts?.find((part) => part.type === "text");
  const drafted = first?.type === "text" ? first.text : "";
  const replyTo = draft?.reply_to;
  const [text, show] = useState(drafted);
  const own = useRef(drafted);
  const conflict = draft?.conflict;

  // What another device has written meanwhile is shown, where nothing else is written here.
  useEffect(() => {
    if (drafted === own.current || conflict !== undefined) return;
    own.current = drafted;
    show(drafted);
  }, [drafted, conflict]);

  const keep = useCallback(
    (content: DraftContent) => {
      const empty = !content.text && content.replyTo === undefined;
      setDraft(empty ? undefined : content);
    },
    [setDraft],
  );
  const setText = useCallback(
    (value: string) => {
      own.current = value;
      show(value);
      keep({ text: value, replyTo });
    },
    [keep, replyTo],
  );
  const setReply = useCallback((to: number | undefined) => keep({ text: own.current, replyTo: to }), [keep]);
  /** It was sent: nothing is left of it. */
  const clear = useCallback(() => {
    own.current = "";
    show("");
  }, []);
  const theirs = conflict?.parts?.find((part) => part.type === "text");
  return {
    text,
    replyTo,
    setText,
    setReply,
    clear,
    conflict: theirs?.type === "text" ? theirs.text : undefined,
  };
}
