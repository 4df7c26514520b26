/** What programs have answered to one alone: to commands, and to what was pressed on cards. Kept as long as the tab. */

import type { Chat, Part } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { useMemo, useSyncExternalStore } from "react";

export interface PrivateAnswer {
  readonly invocation: string;
  readonly conversation: string;
  /** Of a card. */
  readonly message?: number;
  /** Of a command. */
  readonly name?: string;
  readonly parts: readonly Part[];
  readonly failed: boolean;
}

const KEPT = 20;

class Answers {
  #all: readonly PrivateAnswer[] = [];
  readonly #listeners = new Set<() => void>();

  constructor(chat: Chat) {
    chat.on("event", (event, live) => {
      if (!live) return;
      if (event.type === "command.answered") {
        const { invocation, conversation, name, parts = [], failed = false } = event;
        this.#put({ invocation, conversation, name, parts, failed });
      } else if (event.type === "card.answered") {
        const { invocation, conversation, message, parts } = event;
        this.#put({ invocation, conversation, message, parts, failed: false });
      }
    });
  }

  get = (): readonly PrivateAnswer[] => this.#all;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  dismiss = (invocation: string): void =>
    this.#set(this.#all.filter((each) => each.invocation !== invocation));

  /** The last one to a card or a command of a name takes the place of the one before. */
  #put(answer: PrivateAnswer): void {
    const others = this.#all.filter(
      (each) =>
        each.invocation !== answer.invocation &&
        (answer.message === undefined ||
          each.message !== answer.message ||
          each.conversation !== answer.conversation),
    );
    this.#set([...others, answer].slice(-KEPT));
  }

  #set(all: readonly PrivateAnswer[]): void {
    this.#all = all;
    for (const listener of [...this.#listeners]) listener();
  }
}

const all = new WeakMap<Chat, Answers>();

function answersOf(chat: Chat): Answers {
  let answers = all.get(chat);
  if (answers === undefined) {
    answers = new Answers(chat);
    all.set(chat, answers);
  }
  return answers;
}

/** Private answers in a conversation, and how to take one away: those to commands, or with `message` those of its card. */
export function useAnswers(conversation: string, message?: number) {
  const answers = answersOf(useChat());
  const list = useSyncExternalStore(answers.subscribe, answers.get, answers.get);
  const here = useMemo(
    () => list.filter((each) => each.conversation === conversation && each.message === message),
    [list, conversation, message],
  );
  return { answers: here, dismiss: answers.dismiss };
}
