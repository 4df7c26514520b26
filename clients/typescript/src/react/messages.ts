import { useMemo, useState } from "react";
import type { Chat } from "../chat/chat.js";
import type { MessageList, MessageWindow } from "../chat/windows.js";
import type { Maybe } from "./chat.js";
import { useChat } from "./provider.js";
import { constant, useBeforePaint, useView } from "./view.js";

const NOTHING = constant<MessageWindow>(
  Object.freeze({ items: Object.freeze([]), atStart: false, atEnd: false, loading: undefined }),
);

/** A part of a conversation, and how to move in it. */
export interface Messages extends MessageWindow {
  /** Load what is older. Rejects with HubbubError. */
  readonly loadBefore: () => Promise<void>;
  /** Load what is newer, after a jump. */
  readonly loadAfter: () => Promise<void>;
  /** Show the messages around one. */
  readonly jumpTo: (seq: number) => Promise<void>;
  /** Show the newest messages. */
  readonly toEnd: () => Promise<void>;
  /** A message is on the screen: it is marked as read, once the page is seen. */
  readonly visible: (seq: number) => void;
}

interface Held {
  readonly list: MessageList;
  readonly chat: Chat;
  readonly conversation: string;
  readonly thread: number | undefined;
}

/**
 * The messages of a conversation or a thread, the newest page first, kept true for as long as the component is there.
 *
 * `items` have keys that stay from the moment they are written to when the server has them: they are React's keys.
 */
export function useMessages(
  conversation: Maybe<string>,
  options: { thread?: number | undefined } = {},
): Messages {
  const chat = useChat();
  const { thread } = options;
  const [held, setHeld] = useState<Held>();
  // A list is held and given back, which renders must not do: they may be thrown away.
  useBeforePaint(() => {
    if (!conversation) return;
    const list = chat.messages(conversation, thread === undefined ? {} : { thread });
    setHeld({ list, chat, conversation, thread });
    return () => list.release();
  }, [chat, conversation, thread]);

  const fits = held?.chat === chat && held.conversation === conversation && held.thread === thread;
  const list = fits ? held.list : undefined;
  const window = useView<MessageWindow>(list ?? NOTHING);
  const moves = useMemo(
    () => ({
      loadBefore: async () => list?.loadBefore(),
      loadAfter: async () => list?.loadAfter(),
      jumpTo: async (seq: number) => list?.jumpTo(seq),
      toEnd: async () => list?.toEnd(),
      visible: (seq: number) => list?.visible(seq),
    }),
    [list],
  );
  return useMemo(() => ({ ...window, ...moves }), [window, moves]);
}
