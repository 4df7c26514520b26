import { useConversation, useUser } from "hubbub/react";
import { useMyId } from "../conversations/names.ts";
import { formatDay, formatTime, useTexts } from "../i18n/index.ts";
import { nameOf } from "../panes/places.ts";
import { texts } from "./texts.ts";

/** What a user is called; the server where there is none. */
export function useName(user: string | null | undefined): string {
  const t = useTexts(texts);
  const known = useUser(user);
  return known?.name || user || t("server");
}

/** What a conversation is called; "everywhere" without one. */
export function usePlace(conversation: string | undefined): string {
  const t = useTexts(texts);
  const view = useConversation(conversation);
  const me = useMyId();
  return conversation === undefined ? t("everywhere") : nameOf(view, conversation, me);
}

export function Name({ user }: { user: string | null | undefined }) {
  return <bdi>{useName(user)}</bdi>;
}

export function Place({ conversation }: { conversation: string | undefined }) {
  return <bdi>{usePlace(conversation)}</bdi>;
}

export const when = (time: number): string => `${formatDay(time)}, ${formatTime(time)}`;
