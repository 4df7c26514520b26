import { useChat } from "hubbub/react";
import { useEffect } from "react";
import { announce } from "../app/announce.ts";
import { gist } from "../conversations/look.ts";
import { translate } from "../i18n/index.ts";
import { texts } from "./texts.ts";

/** Milliseconds in which messages are gathered, so that a lively conversation is no flood of words. */
const GATHER = 1500;

/** Have what others write here read out: one message as it is, more of them by their number. */
export function useHeard(conversation: string, thread: number | undefined, me: string | undefined): void {
  const chat = useChat();
  useEffect(() => {
    let heard: { name: string; text: string }[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const say = () => {
      timer = undefined;
      const [first] = heard;
      if (first === undefined) return;
      announce(
        heard.length === 1
          ? translate(texts, "heard", first)
          : translate(texts, "heardMany", { count: heard.length }),
      );
      heard = [];
    };
    const leave = chat.on("event", (event, live) => {
      if (!live || event.type !== "message.created" || event.conversation !== conversation) return;
      const { message } = event;
      if (message.thread !== thread || message.sender === me || document.hidden) return;
      const name = message.sender === null ? "" : chat.user(message.sender).get()?.name || message.sender;
      heard.push({ name: name || translate(texts, "server"), text: gist(message) });
      timer ??= setTimeout(say, GATHER);
    });
    return () => {
      leave();
      clearTimeout(timer);
    };
  }, [chat, conversation, thread, me]);
}
