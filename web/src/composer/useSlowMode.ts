import { allowed, type ConversationView } from "hubbub/chat";
import { useEffect, useState } from "react";

const until = new Map<string, number>();

/** Seconds to wait before one may write again; 0 where there is no slow mode, or one is above it. */
export function useSlowMode(view: ConversationView): { wait: number; sent: () => void } {
  const pause = allowed(view, "moderate") ? 0 : (view.conversation.slow_mode ?? 0);
  const [now, setNow] = useState(() => Date.now());
  const end = pause > 0 ? (until.get(view.id) ?? 0) : 0;
  const wait = Math.max(0, Math.ceil((end - now) / 1000));
  useEffect(() => {
    if (end <= Date.now()) return;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [end]);
  const sent = () => {
    if (pause === 0) return;
    until.set(view.id, Date.now() + pause * 1000);
    setNow(Date.now());
  };
  return { wait, sent };
}
