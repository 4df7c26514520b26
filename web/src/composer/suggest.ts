/** What is being written at the cursor that can be completed. Pure. */

export interface Token {
  readonly kind: "mention" | "emoji" | "command" | "channel";
  /** Without its sign, in lower case. */
  readonly typed: string;
  /** Where it is in the text, with its sign. */
  readonly start: number;
  readonly end: number;
}

const TOKEN = /(?:^|[\s([{])([@:#])([\p{L}\p{N}_.+-]{0,40})$/u;
const COMMAND = /^\/([a-z0-9_-]{0,40})$/i;

/** The token before the cursor, if there is one. */
export function tokenAt(text: string, cursor: number): Token | undefined {
  const before = text.slice(0, cursor);
  const command = COMMAND.exec(before);
  if (command !== null) {
    return { kind: "command", typed: (command[1] ?? "").toLowerCase(), start: 0, end: cursor };
  }
  const [, sign, typed = ""] = TOKEN.exec(before) ?? [];
  if (sign === undefined) return undefined;
  if (inCode(before)) return undefined;
  if (sign === ":" && typed.length < 2) return undefined;
  const kind = sign === "@" ? "mention" : sign === ":" ? "emoji" : "channel";
  return { kind, typed: typed.toLowerCase(), start: cursor - typed.length - 1, end: cursor };
}

function inCode(before: string): boolean {
  const fences = before.split("```").length - 1;
  if (fences % 2 === 1) return true;
  const line = before.slice(before.lastIndexOf("\n") + 1);
  return (line.split("`").length - 1) % 2 === 1;
}

/** The command of a text: its name, and what is behind it. Undefined for what is none. */
export function commandOf(text: string): { name: string; rest: string } | undefined {
  const [, name, rest = ""] = /^\/([a-z][a-z0-9_-]*)(?:\s+([\s\S]*))?$/i.exec(text) ?? [];
  return name === undefined ? undefined : { name: name.toLowerCase(), rest: rest.trim() };
}

/** How well a name fits what was typed: 0 at best, undefined if it does not. */
export function rankOf(typed: string, ...names: readonly string[]): number | undefined {
  let best: number | undefined;
  for (const [at, name] of names.entries()) {
    const lower = name.toLocaleLowerCase();
    const rank = lower.startsWith(typed)
      ? at
      : new RegExp(`[\\s_.-]${literal(typed)}`).test(lower)
        ? at + 10
        : undefined;
    if (rank !== undefined && (best === undefined || rank < best)) best = rank;
  }
  return best;
}

const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Commands that are not programs': they open something, or change the text. */
export const OWN_COMMANDS = ["poll", "checklist", "later", "shrug"] as const;
