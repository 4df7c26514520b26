import { createContext, type ReactNode, useContext, useEffect, useMemo } from "react";
import type { Chat } from "../chat/chat.js";
import type { Hubbub } from "../core/hubbub.js";

interface Held {
  readonly client: Hubbub;
  readonly chat: Chat | undefined;
}

const Context = createContext<Held | undefined>(undefined);

export interface HubbubProviderProps {
  /** Made once, outside of components, or in a `useState(() => ...)`: the provider never closes it. */
  client: Hubbub;
  /** Where conversations are used. The provider starts it. */
  chat?: Chat | undefined;
  children?: ReactNode;
}

/** Gives the hooks below it their client. Nothing is connected on the server, and not before something asks for it. */
export function HubbubProvider({ client, chat, children }: HubbubProviderProps): ReactNode {
  const held = useMemo(() => ({ client, chat }), [client, chat]);
  useEffect(() => {
    // What fails is in `chat.state`, and so in useChatState.
    if (chat?.state.get().status === "idle") chat.start().catch(() => undefined);
  }, [chat]);
  return <Context.Provider value={held}>{children}</Context.Provider>;
}

function useHeld(): Held {
  const held = useContext(Context);
  if (held === undefined) throw new Error("there is no <HubbubProvider> above this component");
  return held;
}

/** The client. Throws outside of a HubbubProvider. */
export function useHubbub(): Hubbub {
  return useHeld().client;
}

/** The chat, for what has no hook: `useChat().send(...)`. Throws where the HubbubProvider has none. */
export function useChat(): Chat {
  const { chat } = useHeld();
  if (chat === undefined) throw new Error("the <HubbubProvider> above this component has no chat");
  return chat;
}
