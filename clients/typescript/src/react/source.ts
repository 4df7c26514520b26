// What the hooks use of a Chat (contract, until src/chat/chat.ts is there).

import type { HubbubError } from "../core/errors.js";
import type { View } from "../core/view.js";
import type { File as ChatFile, Draft, Message, MyConversation, Presence, User } from "../generated/chat.js";

export interface ConversationView extends MyConversation {
  readonly unread: number;
  readonly typing: readonly string[];
}

export interface MessageItem {
  readonly key: string;
  readonly message: Message;
  readonly status: "sent" | "sending" | "queued" | "failed" | "held";
  readonly error?: HubbubError;
  readonly outboxId?: string;
}

export interface MessageWindow {
  readonly items: readonly MessageItem[];
  readonly atStart: boolean;
  readonly atEnd: boolean;
  readonly loading: "before" | "after" | "jump" | undefined;
  readonly firstUnread?: number;
  readonly error?: HubbubError;
}

export interface MessageList extends View<MessageWindow> {
  loadBefore(): Promise<void>;
  loadAfter(): Promise<void>;
  jumpTo(seq: number): Promise<void>;
  toEnd(): Promise<void>;
  visible(seq: number): void;
  release(): void;
}

export type DraftInput = { text?: string };

export interface UploadState {
  readonly status: "sending" | "done" | "failed" | "aborted";
  readonly sent: number;
  readonly total: number;
  readonly file?: ChatFile;
  readonly error?: HubbubError;
}

export interface Upload {
  readonly state: View<UploadState>;
  readonly done: Promise<ChatFile>;
  abort(): void;
}

export interface OutboxEntry {
  readonly id: string;
  readonly state: "queued" | "sending" | "failed";
}

export interface Chat {
  readonly state: View<{
    readonly status: "idle" | "syncing" | "live" | "failed";
    readonly error?: HubbubError;
  }>;
  start(): Promise<void>;
  readonly conversations: View<readonly ConversationView[]>;
  conversation(id: string): View<ConversationView | undefined>;
  readonly unread: View<{
    readonly messages: number;
    readonly mentions: number;
    readonly conversations: number;
  }>;
  user(id: string): View<User | undefined>;
  presence(user: string): View<Presence | undefined>;
  typing(conversation: string, thread?: number): View<readonly string[]>;
  startTyping(conversation: string, thread?: number): void;
  messages(conversation: string, options?: { thread?: number }): MessageList;
  draft(conversation: string, thread?: number): View<Draft | undefined>;
  setDraft(conversation: string, draft: DraftInput | null, thread?: number): void;
  upload(file: Blob, options: { name: string }): Upload;
  readonly outbox: {
    entries: View<readonly OutboxEntry[]>;
    retry(id: string): void;
    discard(id: string): void;
  };
}
