import { useMemo } from "react";
import type { ChatStatus } from "../chat/live.js";
import type { ConversationView, Unread } from "../chat/shown.js";
import type { Presence, User } from "../generated/chat.js";
import { useChat } from "./provider.js";
import { ABSENT, constant, nothing, useView } from "./view.js";

/** An id, or nothing while there is none. */
export type Maybe<T> = T | null | undefined;

const NONE = constant<readonly never[]>(Object.freeze([]));
const IDLE: ChatStatus = Object.freeze({ status: "idle" });
const idle = () => IDLE;
const READ: Unread = Object.freeze({ messages: 0, mentions: 0, conversations: 0 });
const read = () => READ;

/** Whether the chat is up to date: `syncing`, `live`, or `failed` with its error. */
export function useChatState(): ChatStatus {
  return useView(useChat().state, idle);
}

/** The user's conversations, the last active one first. */
export function useConversations(): readonly ConversationView[] {
  return useView(useChat().conversations, NONE.get);
}

/** One conversation; undefined where the user has none with this id, or as long as it is not known. */
export function useConversation(id: Maybe<string>): ConversationView | undefined {
  const chat = useChat();
  const view = useMemo(() => (id ? chat.conversation(id) : ABSENT), [chat, id]);
  return useView<ConversationView | undefined>(view, nothing);
}

/** How much is unread in all conversations together. */
export function useUnread(): Unread {
  return useView(useChat().unread, read);
}

/** A user's profile; undefined until it is known. Those asked for at once are fetched together. */
export function useUser(id: Maybe<string>): User | undefined {
  const chat = useChat();
  const view = useMemo(() => (id ? chat.user(id) : ABSENT), [chat, id]);
  return useView<User | undefined>(view, nothing);
}

/** Whether a user is there, followed for as long as the component is there; undefined where that is not shown. */
export function usePresence(user: Maybe<string>): Presence | undefined {
  const chat = useChat();
  const view = useMemo(() => (user ? chat.presence(user) : ABSENT), [chat, user]);
  return useView<Presence | undefined>(view, nothing);
}

/** Who types, and how to say that oneself does. */
export interface Typing {
  /** Ids of the others who type. */
  readonly users: readonly string[];
  /** To be called at each stroke: it is throttled. */
  readonly start: () => void;
  /** What was written was sent, or thrown away. */
  readonly stop: () => void;
}

/** Who types in a conversation, or in one of its threads. */
export function useTyping(
  conversation: Maybe<string>,
  options: { thread?: number | undefined } = {},
): Typing {
  const chat = useChat();
  const { thread } = options;
  const view = useMemo(
    () => (conversation ? chat.typing(conversation, thread) : NONE),
    [chat, conversation, thread],
  );
  const users = useView<readonly string[]>(view, NONE.get);
  const own = useMemo(
    () => ({
      start: () => {
        if (conversation) chat.startTyping(conversation, thread);
      },
      stop: () => {
        if (conversation) chat.stopTyping(conversation, thread);
      },
    }),
    [chat, conversation, thread],
  );
  return useMemo(() => ({ users, ...own }), [users, own]);
}
