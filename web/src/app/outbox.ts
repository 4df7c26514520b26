/** What an entry of the outbox is about. Pure. */

import type { Part } from "hubbub/chat";

/** The conversation that it is for, and the parts of its message; without any, if it is no message. */
export function gistOfEntry(entry: { readonly params: unknown }): {
  conversation: string | undefined;
  parts: readonly Part[];
} {
  const params = typeof entry.params === "object" && entry.params !== null ? entry.params : {};
  const conversation =
    "conversation" in params && typeof params.conversation === "string" ? params.conversation : undefined;
  const parts = "parts" in params && Array.isArray(params.parts) ? (params.parts as readonly Part[]) : [];
  return { conversation, parts };
}
