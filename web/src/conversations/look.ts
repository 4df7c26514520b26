/** How conversations and messages are called in lists. Pure, but for the language. */

import type { ConversationView, Message, Part } from "hubbub/chat";
import { translate } from "../i18n/index.ts";
import type { IconName } from "../ui/index.ts";
import { texts } from "./texts.ts";

/** Tells the name of a user by id; undefined while it is not known. */
export type Names = (user: string) => string | undefined;

/** What a conversation is called: its name; in a direct one the other's, in one with oneself that it is for notes. */
export function titleOf(view: ConversationView, me: string | undefined): string {
  const { conversation, peer } = view;
  if (conversation.kind !== "direct") return conversation.name || translate(texts, "unnamed");
  if (peer === undefined || peer.id === me) return translate(texts, "notes");
  return peer.name || peer.id;
}

const ICONS: Readonly<Record<string, IconName>> = { group: "group", topic: "hash", broadcast: "broadcast" };

/** The sign of its kind; none for direct ones, which have a face, but for the one with oneself. */
export function iconOf(view: ConversationView, me: string | undefined): IconName | undefined {
  const notes = view.conversation.kind === "direct" && (view.peer === undefined || view.peer.id === me);
  return notes ? "edit" : ICONS[view.conversation.kind];
}

/** What a message says, in one line; "" if it says nothing that we know. */
export function gist(message: Message): string {
  if (message.deleted !== undefined) return translate(texts, "deleted");
  const parts = message.parts ?? [];
  const words = parts.map(gistOfPart).find((each) => each !== "") ?? "";
  if (words !== "") return words;
  return message.kind === "system" ? translate(texts, "system") : "";
}

/** What a part says, in one line, without the signs of Markdown. */
export function gistOfPart(part: Part): string {
  switch (part.type) {
    case "text":
      return part.format === "markdown" ? withoutMarks(part.text) : oneLine(part.text);
    case "poll":
      return translate(texts, "poll", { question: part.question });
    case "checklist":
      return translate(texts, "checklist", { title: part.title ?? part.items[0]?.text ?? "" });
    case "card":
      return translate(texts, "card", { title: part.title ?? part.text ?? "" });
    case "embed":
      return part.title ?? part.url;
    case "location":
      return part.label ?? translate(texts, "location");
    case "file": {
      if (part.caption) return oneLine(part.caption);
      const kind = (part.media_type ?? "").split("/")[0];
      if (kind === "image") return translate(texts, "picture");
      if (kind === "video" || kind === "audio") return translate(texts, kind);
      return translate(texts, "file", { name: part.name ?? "" });
    }
    case "data":
      return translate(texts, "data");
    default:
      return "";
  }
}

const LONG = 200; // more is not seen in a line

const oneLine = (text: string): string => text.slice(0, LONG).replace(/\s+/g, " ").trim();

/** The text of Markdown in one line: good enough to recognise a message by. */
export function withoutMarks(text: string): string {
  return oneLine(
    text
      .slice(0, LONG * 2)
      .replace(/```[^\n]*\n?/g, "")
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replace(/^\s{0,3}(?:#{1,6}|>|[-*+]|\d+\.)\s+/gm, "")
      .replace(/(\*\*|__|~~|`)(.*?)\1/g, "$2")
      .replace(/(?<![\p{L}\d])([*_])([^*_\n]+)\1(?![\p{L}\d])/gu, "$2"),
  );
}

/** "Ada is typing…". */
export function typingText(users: readonly string[], names: Names): string {
  const [first = "", second = ""] = users.map((user) => names(user) || user);
  if (users.length === 1) return translate(texts, "typingOne", { name: first });
  if (users.length === 2) return translate(texts, "typingTwo", { first, second });
  return translate(texts, "typingMany");
}
