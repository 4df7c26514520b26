"use client";

// hubbub/react: hooks for React 18 and later.

export { type ChannelHandlers, type ChannelState, useChannel, useMembers } from "./react/channel.js";
export {
  type Maybe,
  type Typing,
  useChatState,
  useConversation,
  useConversations,
  usePresence,
  useTyping,
  useUnread,
  useUser,
} from "./react/chat.js";
export { useConnection } from "./react/connection.js";
export { useDraft } from "./react/draft.js";
export { type Messages, useMessages } from "./react/messages.js";
export { type OutboxState, useOutbox } from "./react/outbox.js";
export { HubbubProvider, type HubbubProviderProps, useChat, useHubbub } from "./react/provider.js";
export { type UploadItem, type Uploads, useUpload } from "./react/uploads.js";
export { useView } from "./react/view.js";
