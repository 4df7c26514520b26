/** Tells of new messages: in the title, by sound, by the browser's notifications, to screen readers. */

import type { ConversationView } from "hubbub/chat";
import { useChat, useUnread, useView } from "hubbub/react";
import { useEffect } from "react";
import { gist, titleOf } from "../conversations/look.ts";
import { translate } from "../i18n/index.ts";
import { settings } from "../settings/store.ts";
import { announce } from "./announce.ts";
import { page } from "./page.ts";
import { currentRoute, go } from "./router.ts";
import { beep } from "./sound.ts";
import { stateOf, worthTelling } from "./telling.ts";
import { texts } from "./texts.ts";

/** Once, in the layout. */
export function useNotifications(): void {
  const chat = useChat();
  const unread = useUnread();
  const me = useView(chat.me)?.user.id;

  useEffect(() => {
    const count = unread.messages;
    document.title = count > 0 ? `(${count}) ${page.title}` : page.title;
    if ("setAppBadge" in navigator) void navigator.setAppBadge(count).catch(() => undefined);
  }, [unread.messages]);

  useEffect(() => {
    if (me === undefined) return;
    let known = new Map(chat.conversations.get().map((view) => [view.conversation.id, stateOf(view)]));
    return chat.conversations.subscribe(() => {
      const live = chat.state.get().status === "live"; // what comes with a sync is no news
      const views = chat.conversations.get();
      for (const view of live ? views : []) {
        if (worthTelling(view, known.get(view.conversation.id), me, settings())) tell(view);
      }
      known = new Map(views.map((view) => [view.conversation.id, stateOf(view)]));
    });

    function tell(view: ConversationView): void {
      const { id, kind } = view.conversation;
      const last = view.lastMessage;
      if (last === undefined) return;
      const sender = last.sender ?? "";
      const name = chat.user(sender).get()?.name || sender || translate(texts, "somebody");
      const conversation = titleOf(view, me);
      const route = currentRoute();
      const seen = document.visibilityState === "visible" && document.hasFocus();
      if (seen && route.view === "conversation" && route.conversation === id) return;
      const direct = kind === "direct" && view.peer?.id !== me;
      announce(
        direct ? translate(texts, "newFrom", { name }) : translate(texts, "newIn", { name, conversation }),
      );
      if (settings().sound) beep();
      if (seen || typeof Notification === "undefined" || Notification.permission !== "granted") return;
      const shown = new Notification(direct ? name : `${name} · ${conversation}`, {
        body: settings().preview ? gist(last) : "",
        tag: id,
        icon: "./web/icon.svg",
        silent: true, // the sound is ours
      });
      shown.onclick = () => {
        window.focus();
        go({ view: "conversation", conversation: id });
        shown.close();
      };
    }
  }, [chat, me]);
}
