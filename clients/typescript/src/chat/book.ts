import type { Message } from "../generated/chat.js";

const CHUNK = 64;

/** The messages of one conversation by their seq. Never changes: a change copies one chunk, and shares the rest. */
export class Book {
  static readonly empty = new Book(new Map());
  readonly #chunks: ReadonlyMap<number, ReadonlyMap<number, Message>>;

  private constructor(chunks: ReadonlyMap<number, ReadonlyMap<number, Message>>) {
    this.#chunks = chunks;
  }

  get(seq: number): Message | undefined {
    return this.#chunks.get(Math.floor(seq / CHUNK))?.get(seq);
  }

  has(seq: number): boolean {
    return this.get(seq) !== undefined;
  }

  /** How many there are. */
  get size(): number {
    let size = 0;
    for (const chunk of this.#chunks.values()) size += chunk.size;
    return size;
  }

  *[Symbol.iterator](): IterableIterator<Message> {
    for (const chunk of this.#chunks.values()) yield* chunk.values();
  }

  /** With these in place of what had their seqs. */
  with(...messages: readonly Message[]): Book {
    const fresh = messages.filter((message) => this.get(message.seq) !== message);
    if (fresh.length === 0) return this;
    const chunks = new Map(this.#chunks);
    const copied = new Set<number>();
    for (const message of fresh) {
      const at = Math.floor(message.seq / CHUNK);
      let chunk = chunks.get(at) as Map<number, Message> | undefined;
      if (chunk === undefined || !copied.has(at)) {
        chunk = new Map(chunk);
        chunks.set(at, chunk);
        copied.add(at);
      }
      chunk.set(message.seq, message);
    }
    return new Book(chunks);
  }

  /** Only those whose seq is among `seqs`. */
  only(seqs: ReadonlySet<number>): Book {
    const kept = [...this].filter((message) => seqs.has(message.seq));
    return kept.length === this.size ? this : Book.empty.with(...kept);
  }
}
