/** What a client can be told to do, read from what was typed. */

export const KINDS = ["publish", "subscribe", "unsubscribe", "history", "presence", "call", "raw"] as const;
export type Kind = (typeof KINDS)[number];

/** The form, as it is filled in. */
export interface Fields {
  readonly kind: Kind;
  readonly channel: string;
  readonly event: string;
  /** JSON: the data, the params, or a whole command. */
  readonly json: string;
  readonly method: string;
  readonly limit: string;
  readonly newest: boolean;
}

export type Command =
  | { readonly kind: "publish"; readonly channel: string; readonly event: string; readonly data: unknown }
  | { readonly kind: "subscribe" | "unsubscribe" | "presence"; readonly channel: string }
  | { readonly kind: "history"; readonly channel: string; readonly limit: number; readonly reverse: boolean }
  | { readonly kind: "call"; readonly method: string; readonly params: unknown }
  | { readonly kind: "raw"; readonly command: RawObject };

export type RawObject = { readonly type: string; readonly [field: string]: unknown };

/** Throws an Error that says what is wrong: SyntaxError for what is no JSON. */
export function commandOf({ kind, channel, event, json, method, limit, newest }: Fields): Command {
  switch (kind) {
    case "publish":
      return { kind, channel, event, data: parsed(json, null) };
    case "history":
      return { kind, channel, limit: Number(limit), reverse: newest };
    case "call":
      return { kind, method: method.trim(), params: parsed(json, null) };
    case "raw":
      return { kind, command: rawOf(parsed(json, null)) };
    default:
      return { kind, channel };
  }
}

const parsed = (text: string, empty: unknown): unknown => (text.trim() === "" ? empty : JSON.parse(text));

/** A command must say what it is; its `id` is given by the SDK. */
function rawOf(value: unknown): RawObject {
  const {
    id: _,
    type,
    ...rest
  } = (typeof value === "object" && value !== null ? value : {}) as {
    readonly id?: unknown;
    readonly type?: unknown;
  };
  if (typeof type !== "string") throw new TypeError('{"type": "..."}');
  return { type, ...rest };
}

/** What an exchange is called in the list. */
export function titleOf(command: Command): string {
  switch (command.kind) {
    case "call":
      return `call ${command.method}`;
    case "raw":
      return command.command.type;
    default:
      return `${command.kind} ${command.channel}`;
  }
}
