/** What one does with a conversation as a whole. Each says by itself what has gone wrong. */

import type { Chat, ConversationView } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { currentRoute, go } from "../app/router.ts";
import { href } from "../app/routes.ts";
import { translate, useTexts } from "../i18n/index.ts";
import { type MenuItem, toast, toastError } from "../ui/index.ts";
import { texts } from "./texts.ts";

const HOUR = 3600;
const FOREVER = 9e15; // seconds: as the server has it

export function mute(chat: Chat, conversation: string, until: number | null): void {
  chat.call("conversations.settings", { conversation, muted_until: until }).catch(toastError);
}

export function archive(chat: Chat, conversation: string, archived: boolean, name: string): void {
  chat
    .call("conversations.settings", { conversation, archived })
    .then(() => {
      if (!archived) return;
      const action = { label: translate(texts, "undo"), run: () => archive(chat, conversation, false, name) };
      toast(translate(texts, "archivedToast", { name }), { action });
    })
    .catch(toastError);
}

/** Mark all of it as read. */
export function markRead(chat: Chat, views: readonly ConversationView[]): void {
  const marks = views
    .filter((view) => view.unread > 0 || view.mentions > 0)
    .map((view) => ({ conversation: view.conversation.id, read: view.conversation.seq ?? 0 }));
  for (let at = 0; at < marks.length; at += 100) {
    chat.call("receipts.mark", { marks: marks.slice(at, at + 100) }).catch(toastError);
  }
}

/** Leave it, or decline an invitation. Who was looking at it is home again. */
export async function leave(chat: Chat, conversation: string): Promise<void> {
  await chat.call("members.leave", { conversation });
  const route = currentRoute();
  if (route.view === "conversation" && route.conversation === conversation)
    go({ view: "home" }, { replace: true });
}

export async function join(chat: Chat, conversation: string): Promise<void> {
  await chat.call("members.join", { conversation });
  go({ view: "conversation", conversation });
}

/** The items of a conversation's menu. */
export function useConversationMenu(
  view: ConversationView | undefined,
  title: string,
  askToLeave: () => void,
): readonly MenuItem[] {
  const chat = useChat();
  const t = useTexts(texts);
  if (view === undefined || view.membership.state !== "joined") return [];
  const { id, kind } = view.conversation;
  const now = Date.now() / 1000;
  const muting: readonly MenuItem[] = view.muted
    ? [{ label: t("unmute"), icon: "bell", onSelect: () => mute(chat, id, null) }]
    : [
        { label: t("muteHour"), icon: "bellOff", onSelect: () => mute(chat, id, now + HOUR) },
        { label: t("muteEight"), icon: "clock", onSelect: () => mute(chat, id, now + 8 * HOUR) },
        { label: t("muteForever"), icon: "bellOff", onSelect: () => mute(chat, id, FOREVER) },
      ];
  const archived = view.membership.archived === true;
  return [
    {
      label: t("markRead"),
      icon: "check",
      disabled: view.unread === 0,
      onSelect: () => markRead(chat, [view]),
    },
    ...muting,
    {
      label: archived ? t("unarchive") : t("archive"),
      icon: "archive",
      onSelect: () => archive(chat, id, !archived, title),
    },
    { label: t("copyLink"), icon: "link", onSelect: () => copyLink(id) },
    ...(kind === "direct"
      ? []
      : (["separator", { label: t("leave"), icon: "leave", danger: true, onSelect: askToLeave }] as const)),
  ];
}

function copyLink(conversation: string): void {
  const link = new URL(href({ view: "conversation", conversation }), location.href.replace(/[?#].*$/, ""));
  navigator.clipboard.writeText(link.href).then(() => toast(translate(texts, "copied")), toastError);
}
