import type { Reply } from "../generated/protocol.js";
import type { Ask } from "./connection.js";
import { CODE, HubbubError } from "./errors.js";
import { monotonic } from "./host.js";

const TIMEOUT = 35_000; // a handler may take `limits.call_timeout`, 30 s

interface Request {
  readonly body: string; // the command but for its id
  readonly kind: Ask["type"];
  readonly resend: boolean;
  readonly done: (answer: Reply | HubbubError) => void;
  sentAt: number; // milliseconds, `monotonic`
}

/** Commands and their answers. Those that wait are sent when a session stands; those that broke off, again. */
export class Requests {
  readonly #write: (line: string) => void;
  #sent = new Map<number, Request>();
  #unsent: Request[] = [];
  #standing = false;
  #lastId = 0;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  nextId(): number {
    return ++this.#lastId;
  }

  /** Whether an answer is awaited that a drop would lose. */
  get fragile(): boolean {
    return this.#some((each) => !each.resend && each.kind === "call");
  }

  /** Whether a method is being called. */
  get calling(): boolean {
    return this.#some((each) => each.kind === "call");
  }

  #some(is: (request: Request) => boolean): boolean {
    for (const each of this.#sent.values()) if (is(each)) return true;
    return false;
  }

  /**
   * Send a command when the session stands, behind what waits, or (`first`) before it. What the answer is, error or not,
   * is told at once when it comes, before anything behind it is looked at. With `resend` it is sent again after a drop;
   * else `done` gets the error of the drop. Throws what is not JSON. Call the answer to forget the command.
   */
  send(command: Ask, resend: boolean, done: Request["done"], first = false): () => void {
    const body = JSON.stringify(command).slice(1);
    const request: Request = { body, kind: command.type, resend, done, sentAt: 0 };
    if (this.#standing && (first || this.#unsent.length === 0)) this.#transmit(request);
    else this.#unsent.push(request);
    return () => {
      this.#unsent = this.#unsent.filter((each) => each !== request);
      for (const [id, each] of this.#sent) if (each === request) this.#sent.delete(id);
    };
  }

  /** The same as a Promise. Rejects with the HubbubError of a refusal, a drop or the end, or the signal's reason. */
  ask(
    command: Ask,
    { resend, signal }: { resend: boolean; signal?: AbortSignal | undefined },
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const abort = () => {
        forget();
        reject(signal?.reason);
      };
      const forget = this.send(command, resend, (answer) => {
        signal?.removeEventListener("abort", abort);
        if (answer instanceof HubbubError) reject(answer);
        else if (answer.type === "error") reject(HubbubError.from(answer));
        else resolve(answer);
      });
      signal?.addEventListener("abort", abort);
    });
  }

  answered(reply: Reply): void {
    const request = this.#sent.get(reply.id);
    if (!request) return;
    this.#sent.delete(reply.id);
    request.done(reply);
  }

  /** From now on commands may go: what `before` sends, then what waited. */
  stand(before: () => void): void {
    this.#standing = true;
    before();
    for (
      let next = this.#standing && this.#unsent.shift();
      next;
      next = this.#standing && this.#unsent.shift()
    ) {
      this.#transmit(next);
    }
  }

  /** The connection is gone: those that may be sent again wait for the next, in their order. */
  lost(error: HubbubError): void {
    this.#standing = false;
    const sent = [...this.#sent.values()];
    this.#sent.clear();
    this.#unsent = [...sent.filter((each) => each.resend), ...this.#unsent];
    for (const each of sent) if (!each.resend) each.done(error);
  }

  /** Nothing will be sent any more. */
  fail(error: HubbubError): void {
    const all = [...this.#sent.values(), ...this.#unsent];
    this.#sent.clear();
    this.#unsent = [];
    for (const each of all) each.done(error);
  }

  /** Give up on what has not been answered for too long. */
  expire(): void {
    const before = monotonic() - TIMEOUT;
    for (const [id, each] of [...this.#sent]) {
      if (each.sentAt > before) continue;
      this.#sent.delete(id);
      const message = `no answer in ${TIMEOUT / 1000} s`;
      each.done(new HubbubError({ code: CODE.timeout, name: "timeout", message, temporary: true }));
    }
  }

  #transmit(request: Request): void {
    const id = this.nextId();
    request.sentAt = monotonic();
    this.#sent.set(id, request);
    this.#write(`{"id":${id},${request.body}`);
  }
}
