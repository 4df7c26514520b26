/** Who is mentioned by a text. Pure. */

import type { MentionWhom } from "hubbub/chat";

export interface Mentionable {
  /** Ids of users and groups that may be meant by an `@`. */
  readonly users: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
  /** Whether one may mention all. */
  readonly everyone: boolean;
}

const MENTION = /(?<![\p{L}\p{N}_@])@([\p{L}\p{N}_](?:[\p{L}\p{N}_.:-]{0,126}[\p{L}\p{N}_])?)/gu;
const CODE = /```[\s\S]*?(?:```|$)|`[^`\n]*`/g;

/** Whom a text mentions, of those who can be mentioned; undefined for nobody. What is code mentions nobody. */
export function mentionsIn(text: string, can: Mentionable): MentionWhom | undefined {
  const names = [...text.replace(CODE, " ").matchAll(MENTION)].map(([, name = ""]) => name);
  const users = [...new Set(names.filter((name) => can.users.has(name)))];
  const groups = [...new Set(names.filter((name) => can.groups.has(name) && !can.users.has(name)))];
  const everyone = !can.everyone
    ? undefined
    : names.includes("everyone") || names.includes("all")
      ? "all"
      : names.includes("here")
        ? "here"
        : undefined;
  if (users.length === 0 && groups.length === 0 && everyone === undefined) return undefined;
  return {
    ...(users.length > 0 && { users }),
    ...(groups.length > 0 && { groups }),
    ...(everyone !== undefined && { everyone }),
  };
}
