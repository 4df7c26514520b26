/** What all messages of a list share: where they are, who looks at them, and what can be done with them. */

import {
  allowed,
  type Chat,
  type ConversationView,
  type Message,
  type MessageItem,
  type Permission,
} from "hubbub/chat";
import { createContext, useContext } from "react";
import type { Anchor } from "../ui/index.ts";

/** What can be done with a message. */
export type Deed =
  | "react"
  | "reply"
  | "thread"
  | "edit"
  | "delete"
  | "forward"
  | "pin"
  | "bookmark"
  | "copyLink"
  | "copyText"
  | "remind"
  | "report"
  | "readers"
  | "whoReacted"
  | "versions"
  | "voters"
  | "menu";

export interface Room {
  readonly chat: Chat;
  readonly conversation: string;
  /** The seq of the root, in a thread. */
  readonly thread: number | undefined;
  readonly view: ConversationView | undefined;
  readonly me: string | undefined;
  /** Messages (by seq) of this conversation that one has bookmarked. */
  readonly bookmarked: ReadonlySet<number>;
  readonly blocked: ReadonlySet<string>;
  act(deed: Deed, item: MessageItem, anchor?: Anchor): void;
  /** A message that is in the list. */
  find(seq: number): Message | undefined;
  jumpTo(seq: number): void;
  editing: string | undefined;
  stopEditing(): void;
}

export const RoomContext = createContext<Room | null>(null);

export function useRoom(): Room {
  const room = useContext(RoomContext);
  if (room === null) throw new Error("a message is shown outside of a list of messages");
  return room;
}

/** Whether one may do this here, as far as the role says; the server decides. */
export function may(room: Pick<Room, "view">, permission: Permission): boolean {
  return room.view !== undefined && room.view.conversation.closed !== true && allowed(room.view, permission);
}

/** Which deeds make sense for a message. */
export function canDo(room: Room, item: MessageItem, deed: Deed): boolean {
  const { message, status } = item;
  const { me, view, thread } = room;
  if (message.seq === 0 || message.deleted !== undefined) return deed === "menu" && message.seq !== 0;
  const mine = message.sender === me;
  const plain = message.kind !== "system";
  const member = view?.membership.state === "joined";
  switch (deed) {
    case "react":
      return plain && may(room, "react");
    case "reply":
      return plain && may(room, thread === undefined ? "send" : "reply");
    case "thread":
      return plain && thread === undefined && message.thread === undefined && view !== undefined;
    case "edit":
      return plain && mine && status === "sent" && may(room, "edit_own") && isText(item);
    case "delete":
      return plain && member;
    case "forward":
      return plain;
    case "pin":
      return plain && message.thread === undefined && may(room, "pin");
    case "bookmark":
    case "remind":
      return member;
    case "copyText":
      return isText(item);
    case "report":
      return plain && !mine && message.sender !== null;
    case "readers":
      return plain && member && thread === undefined && view?.conversation.kind !== "broadcast";
    case "whoReacted":
      return (message.reactions?.length ?? 0) > 0;
    case "versions":
      return message.edited !== undefined;
    case "voters":
      return message.parts?.some((part) => part.type === "poll" && part.anonymous !== true) === true;
    default:
      return true;
  }
}

const isText = (item: MessageItem) => item.message.parts?.some((part) => part.type === "text") === true;

/** Who may delete it for everybody. */
export function canDeleteForAll(room: Room, item: MessageItem): boolean {
  return (item.message.sender === room.me && may(room, "delete_own")) || may(room, "delete_any");
}
