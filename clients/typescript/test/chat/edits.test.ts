/** What is done to messages is shown until the log says so itself, and no longer. */

import { expect, test } from "vitest";
import { Book } from "../../src/chat/book.js";
import { type Pending, satisfied } from "../../src/chat/items.js";
import { begun, type ConversationState } from "../../src/chat/state.js";
import type { Message } from "../../src/chat.js";

/** A conversation whose log has a message of Ada's in this version. */
function known(version: number | undefined, edited?: number): ConversationState {
  const mine = { conversation: { id: "c", kind: "group", seq: 5 }, membership: { state: "joined" } } as const;
  const message: Message = {
    conversation: "c",
    seq: 2,
    sender: "ada",
    created: 100,
    parts: [{ type: "text", text: `version ${version ?? 1}` }],
    ...(version !== undefined && { version }),
    ...(edited !== undefined && { edited }),
  };
  return { ...begun(mine, 5), book: Book.empty.with(message) };
}

const edit = (version?: number): Pending =>
  ({
    method: "chat.messages.edit",
    params: { conversation: "c", message: 2, parts: [{ type: "text", text: `version ${version}` }] },
    id: "id",
    key: "key",
    state: "sending",
    added: 101,
    done: true,
    ...(version !== undefined && { version }),
  }) as Pending;

test.each<[string, ConversationState, Pending, boolean]>([
  ["the event of an earlier edit, a moment ago", known(2, 101), edit(3), false],
  ["its own event", known(3, 102), edit(3), true],
  ["one of a later edit", known(4, 103), edit(3), true],
  ["no event yet", known(undefined), edit(2), false],
  ["an edit that made no version", known(undefined), edit(1), true],
  ["its own event, where the device's clock is ahead", known(3, 50), edit(3), true],
])("an answered edit lets go, or not: %s", (_, conversation, pending, done) => {
  expect(satisfied(conversation, pending, "ada")).toBe(done);
});
