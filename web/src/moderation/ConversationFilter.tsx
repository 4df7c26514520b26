import { allowed } from "hubbub/chat";
import { useConversations } from "hubbub/react";
import { useMyId } from "../conversations/names.ts";
import { useTexts } from "../i18n/index.ts";
import { nameOf } from "../panes/places.ts";
import { Select } from "../ui/index.ts";
import { texts } from "./texts.ts";

/** The conversations that one moderates; offices may look at all. */
export function useModerated(office: boolean) {
  const me = useMyId();
  return useConversations()
    .filter((view) => office || (view.conversation.kind !== "direct" && allowed(view, "moderate")))
    .map((view) => ({ value: view.id, label: nameOf(view, view.id, me) }));
}

export function ConversationFilter(props: { office: boolean; value: string; onChange(to: string): void }) {
  const t = useTexts(texts);
  const moderated = useModerated(props.office);
  return (
    <Select
      label={t("conversation")}
      value={props.value}
      onChange={props.onChange}
      options={[...(props.office ? [{ value: "", label: t("allConversations") }] : []), ...moderated]}
    />
  );
}
