import { useConversation } from "hubbub/react";
import { useState } from "react";
import { PaneHeader } from "../app/PageHeader.tsx";
import { useTitle } from "../conversations/names.ts";
import { useTexts } from "../i18n/index.ts";
import { SearchView } from "./SearchView.tsx";
import { texts } from "./texts.ts";

/** What was searched for, by conversation: going to a message that was found and back loses nothing. */
const last = new Map<string, string>();

/** Search in a conversation. */
export default function SearchPane({ conversation, onClose }: { conversation: string; onClose(): void }) {
  const t = useTexts(texts);
  const title = useTitle(useConversation(conversation));
  const [written, setWritten] = useState(last.get(conversation) ?? "");
  return (
    <>
      <PaneHeader title={t("searchHere")} hint={title} onClose={onClose} />
      <SearchView
        conversation={conversation}
        written={written}
        onWrite={(to) => {
          last.set(conversation, to);
          setWritten(to);
        }}
      />
    </>
  );
}
