import { allowed, type ConversationView, type Restriction } from "hubbub/chat";
import { useChat, useView } from "hubbub/react";
import { useEffect, useState } from "react";

/** Why one cannot write here. */
export type Refusal =
  | { readonly why: "closed" | "noPermission" | "invited" | "left" | "guest" | "reader" }
  | { readonly why: "restricted"; readonly restriction: Restriction };

const FAR = 2_000_000_000; // milliseconds: timers take no more

/** Why one cannot write in a conversation or thread; undefined where one can. The server decides. */
export function useRefusal(
  view: ConversationView | undefined,
  thread: number | undefined,
): Refusal | undefined {
  const restrictions = useView(useChat().restrictions);
  const [, redraw] = useState(0);
  const now = Date.now() / 1000;
  const restriction = restrictions.find(
    (each) =>
      each.kind !== "shadow" &&
      (each.conversation === undefined || each.conversation === view?.id) &&
      (each.until === undefined || each.until > now),
  );
  const until = restriction?.until;
  useEffect(() => {
    if (until === undefined) return;
    const timer = setTimeout(
      () => redraw((count) => count + 1),
      Math.min(FAR, Math.max(0, until * 1000 - Date.now())),
    );
    return () => clearTimeout(timer);
  }, [until]);
  if (view === undefined) return undefined;
  const { state } = view.membership;
  if (state === "invited") return { why: "invited" };
  if (state !== "joined") return { why: view.conversation.kind === "topic" ? "guest" : "left" };
  if (view.conversation.closed === true) return { why: "closed" };
  if (restriction !== undefined) return { why: "restricted", restriction };
  if (!allowed(view, thread === undefined ? "send" : "reply")) return { why: "noPermission" };
  return undefined;
}
