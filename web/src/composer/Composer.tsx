import { useConversation } from "hubbub/react";
import { Editor } from "./Editor.tsx";
import { PrivateAnswers } from "./PrivateAnswers.tsx";
import { Refusal } from "./Refusal.tsx";
import { useRefusal } from "./useRefusal.ts";

export interface ComposerProps {
  conversation: string;
  /** The seq of a root: what is written goes to its thread. */
  thread?: number;
}

/** Where one writes; or why one cannot. */
export function Composer({ conversation, thread }: ComposerProps) {
  const view = useConversation(conversation);
  const refusal = useRefusal(view, thread);
  if (view === undefined) return null;
  return (
    <>
      {thread === undefined && <PrivateAnswers conversation={conversation} />}
      {refusal === undefined ? (
        <Editor view={view} thread={thread} />
      ) : (
        <Refusal conversation={conversation} refusal={refusal} />
      )}
    </>
  );
}
