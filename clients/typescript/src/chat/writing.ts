import type { MentionWhom, PartInput, SendMessage } from "../generated/chat.js";

/** A message as it is written. One of `text`, `files` and `parts` at least. */
export interface NewMessage {
  readonly text?: string;
  /** Of the text. Default: plain. */
  readonly format?: "plain" | "markdown";
  /** Ids of files that were uploaded (`upload`). */
  readonly files?: readonly string[];
  /** What else it has: a poll, a card, an application's own. */
  readonly parts?: readonly PartInput[];
  /** The seq of the message that it answers. */
  readonly replyTo?: number | undefined;
  /** The seq of the message whose thread it belongs to. */
  readonly thread?: number | undefined;
  readonly mentions?: MentionWhom | undefined;
  /** Nobody is to be notified. */
  readonly silent?: boolean;
  /** Seconds after which it is deleted for everybody. */
  readonly expires?: number;
  /** Whether previews are made of links. Default: true. */
  readonly previews?: boolean;
}

/** What a message is made of. */
export function partsOf({ text, format, files = [], parts = [] }: NewMessage): readonly PartInput[] {
  return [
    ...(text ? [{ type: "text" as const, text, ...(format && { format }) }] : []),
    ...files.map((file) => ({ type: "file" as const, file })),
    ...parts,
  ];
}

/** A message as `messages.send` takes it. */
export function written(conversation: string, message: NewMessage): SendMessage {
  const { replyTo, thread, mentions, silent, expires, previews } = message;
  return {
    conversation,
    parts: partsOf(message),
    ...(mentions && { mentions }),
    ...(thread !== undefined && { thread }),
    ...(replyTo !== undefined && { reply_to: replyTo }),
    ...(silent && { silent }),
    ...(expires !== undefined && { expires_in: expires }),
    ...(previews === false && { previews }),
  };
}
