import { randomKey } from "../core/chance.js";
import type { HubbubError } from "../core/errors.js";
import type { Hubbub } from "../core/hubbub.js";
import type { Gap } from "../core/types.js";
import type { LogEvent, Operations } from "../generated/chat.js";
import type { Push } from "../generated/protocol.js";
import type { ChatState } from "./state.js";
import type { Store } from "./store.js";

/** The name of an operation. */
export type Operation = keyof Operations;
/** What an operation takes. */
export type Params<O extends Operation> = Operations[O]["params"];
/** What an operation gives. */
export type Result<O extends Operation> = Operations[O]["result"];

export interface CallOptions {
  /** The idempotency key; made up if absent. */
  readonly key?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What of the client is used here (`hubbub`'s `Hubbub`). */
export type Client = Pick<
  Hubbub,
  "connection" | "call" | "on" | "channel" | "http" | "time" | "connect" | "url"
>;

export type Call = <O extends Operation>(
  operation: O,
  params: Params<O>,
  options?: CallOptions,
) => Promise<Result<O>>;

/** What all parts of the chat work with. */
export interface Context {
  readonly client: Client;
  readonly store: Store;
  readonly call: Call;
  /**
   * Read something of a conversation and put it into the state, as `change` says: with the events that have been
   * applied meanwhile, for what was read may be older than these.
   */
  readonly read: <T>(
    conversation: string,
    ask: () => Promise<T>,
    change: (state: ChatState, answer: T, since: readonly LogEvent[]) => ChatState,
  ) => Promise<T>;
  /** Whether the state is true now. */
  readonly live: () => boolean;
  /** Calls back when the state is true, each time that it has become so, and after each change while it is. */
  readonly whileLive: (act: () => void) => () => void;
  /** What came in a channel of the chat by another way than the session's own. */
  readonly heard: (push: Push | Gap) => void;
  /** What went wrong where nobody waits for it. */
  readonly failed: (error: unknown) => void;
}

const READS = /^(search|sync)$|\.(get|list|query|discover|versions|voters|members|urls?|queue|mine)$/;

/** `chat.call` on a client: what only reads is sent again after a drop, and so is the rest, by its key. */
export function caller(client: Client): Call {
  return <O extends Operation>(operation: O, params: Params<O>, { key, signal }: CallOptions = {}) =>
    client.call<Result<O>>(`chat.${operation}`, params, {
      ...(READS.test(operation) ? { read: true } : { key: key ?? newKey() }),
      signal,
    });
}

/** A new idempotency key. */
export const newKey: () => string = randomKey;

/** Whether it is a refusal that stays one. */
export function isFinal(error: unknown): error is HubbubError {
  return typeof (error as HubbubError).code === "number" && !(error as HubbubError).temporary;
}

/** All pages of a list. */
export async function pages<P extends { readonly next?: string }>(
  ask: (cursor: string | undefined) => Promise<P>,
  most = 20,
): Promise<P[]> {
  const found: P[] = [];
  let cursor: string | undefined;
  do {
    const page = await ask(cursor);
    found.push(page);
    cursor = page.next;
  } while (cursor !== undefined && found.length < most);
  return found;
}
