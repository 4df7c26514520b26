import type { TokenReason, TokenSource } from "./types.js";

/** The token that is used now, and where others come from. */
export class Tokens {
  readonly #source: TokenSource | undefined;
  #current: string | undefined;
  #fetching: Promise<string> | undefined;

  constructor(source: TokenSource | undefined) {
    this.#source = source;
  }

  /** Whether a refused token may be replaced. */
  get renewable(): boolean {
    return typeof this.#source === "function";
  }

  /** The token that is used now; the first one is fetched. */
  async current(): Promise<string | undefined> {
    return this.#current ?? (await this.fresh("first"));
  }

  /** A new token; two who ask at once get the same. Rejects with what the source throws. */
  async fresh(reason: TokenReason): Promise<string | undefined> {
    const source = this.#source;
    if (typeof source !== "function") return source;
    this.#fetching ??= (async () => source(reason))().finally(() => {
      this.#fetching = undefined;
    });
    const token = await this.#fetching;
    this.#current = token;
    return token;
  }
}
