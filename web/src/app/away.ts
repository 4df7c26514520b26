/** Whether this device says that one is away: because one has said so, or because nothing was touched for a while. */

import type { Chat } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { useCallback, useEffect, useSyncExternalStore } from "react";
import { toastError } from "../ui/index.ts";

const IDLE = 10 * 60_000; // milliseconds without a touch of the page

let said = false; // by its user
let idle = false;
let told = false;
const listeners = new Set<() => void>();

const read = (): boolean => said || idle;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(chat: Chat): void {
  for (const listener of [...listeners]) listener();
  if (told === read()) return;
  const before = told;
  told = read();
  chat.call("presence.set", { away: told }).catch((error: unknown) => {
    told = before;
    if (said !== before) toastError(error); // nobody has asked for the other kind
  });
}

/** Whether one is away by this device, and how to say so. */
export function useAway(): readonly [away: boolean, say: (away: boolean) => void] {
  const chat = useChat();
  const away = useSyncExternalStore(subscribe, read, read);
  const say = useCallback(
    (next: boolean) => {
      said = next;
      idle = false;
      tell(chat);
    },
    [chat],
  );
  return [away, say];
}

/** Once, in the layout: away after a while in which nothing is touched, back at the first touch. */
export function useIdleness(): void {
  const chat = useChat();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const set = (next: boolean) => {
      if (idle === next) return;
      idle = next;
      tell(chat);
    };
    const touched = () => {
      clearTimeout(timer);
      timer = setTimeout(() => set(true), IDLE);
      set(false);
    };
    const leave = chat.state.subscribe(() => {
      if (chat.state.get().status !== "live")
        told = false; // a new session is there until it says otherwise
      else tell(chat);
    });
    const events = ["pointerdown", "pointermove", "keydown", "focus"] as const;
    for (const event of events) addEventListener(event, touched, { passive: true });
    touched();
    return () => {
      clearTimeout(timer);
      leave();
      said = idle = told = false;
      for (const event of events) removeEventListener(event, touched);
    };
  }, [chat]);
}
