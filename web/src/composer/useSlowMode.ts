import { allowed, type ConversationView } from "hubbub/chat";
import { useHubbub, useMessages } from "hubbub/react";
import { useEffect, useState } from "react";
import { useMyId } from "../conversations/names.ts";

/** Server's time in seconds, by conversation: what is sent counts before the server has it. */
const sentAt = new Map<string, number>();

/** Seconds to wait before one may write again; 0 where there is no slow mode, or one is above it. */
export function useSlowMode(view: ConversationView): { wait: number; sent: () => void } {
  const pause = allowed(view, "moderate") ? 0 : (view.conversation.slow_mode ?? 0);
  const hubbub = useHubbub();
  const me = useMyId();
  // What one has said before the page was loaded, or on another device.
  const { items } = useMessages(pause > 0 ? view.id : null);
  const said =
    items.findLast(({ message }) => message.sender === me && message.seq > 0)?.message.created ?? 0;
  const [now, setNow] = useState(() => hubbub.time());
  const end = pause > 0 ? Math.max(said, sentAt.get(view.id) ?? 0) + pause : 0;
  const wait = Math.min(pause, Math.max(0, Math.ceil(end - now)));
  useEffect(() => {
    const tick = () => setNow(hubbub.time());
    tick();
    if (end <= hubbub.time()) return;
    const timer = setInterval(tick, 500);
    return () => clearInterval(timer);
  }, [hubbub, end]);
  const sent = () => {
    if (pause === 0) return;
    sentAt.set(view.id, hubbub.time());
    setNow(hubbub.time());
  };
  return { wait, sent };
}
