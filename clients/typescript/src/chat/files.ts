import { HubbubError } from "../core/errors.js";
import type { SignedUrl } from "../generated/chat.js";
import type { Context } from "./context.js";

/** Milliseconds in which files are gathered, and how many of one call. */
const GATHER = 10;
const MOST = 200;
/** Seconds for which a URL must still be good. */
const MARGIN = 60;
/** URLs that are remembered. */
const KEPT = 2_000;

export interface FileUrlOptions {
  /** Of a thumbnail, by its place in the list. */
  readonly thumbnail?: number;
  /** Browsers are to save it. */
  readonly download?: boolean;
}

interface Wanted extends FileUrlOptions {
  readonly file: string;
  readonly resolve: (signed: SignedUrl) => void;
  readonly reject: (error: unknown) => void;
}

/** Signed URLs of files, asked for together, and remembered while they are good. */
export class Files {
  readonly #context: Context;
  readonly #known = new Map<string, { readonly url: Promise<string>; expires: number }>();
  #wanted: Wanted[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Where a file can be read without a token, for some minutes. Rejects with `not_found`. */
  url(file: string, options: FileUrlOptions = {}): Promise<string> {
    const key = `${file} ${options.thumbnail ?? ""} ${options.download ?? ""}`;
    const known = this.#known.get(key);
    if (known && known.expires > this.#context.client.time() + MARGIN) return known.url;
    const entry = {
      url: new Promise<SignedUrl>((resolve, reject) =>
        this.#want({ file, ...options }, resolve, reject),
      ).then((signed) => {
        entry.expires = signed.expires;
        return this.#context.client.url + signed.url;
      }),
      expires: Number.POSITIVE_INFINITY,
    };
    entry.url.catch(() => this.#known.delete(key));
    this.#known.set(key, entry);
    const oldest = this.#known.keys().next().value;
    if (this.#known.size > KEPT && oldest !== undefined) this.#known.delete(oldest);
    return entry.url;
  }

  #want(
    asked: { file: string } & FileUrlOptions,
    resolve: (signed: SignedUrl) => void,
    reject: (error: unknown) => void,
  ): void {
    this.#wanted.push({ ...asked, resolve, reject });
    this.#timer ??= setTimeout(() => void this.#ask(), GATHER);
  }

  async #ask(): Promise<void> {
    this.#timer = undefined;
    const all = this.#wanted;
    this.#wanted = [];
    for (let at = 0; at < all.length; at += MOST) await this.#page(all.slice(at, at + MOST));
  }

  async #page(wanted: readonly Wanted[]): Promise<void> {
    const files = wanted.map(({ file, thumbnail, download }) => ({ file, thumbnail, download }));
    try {
      const { urls } = await this.#context.call("files.urls", { files });
      for (const [at, each] of wanted.entries()) {
        const signed = urls[at];
        if (signed) each.resolve(signed);
        else each.reject(new HubbubError({ code: 105, name: "not_found", message: "there is no such file" }));
      }
    } catch (error) {
      for (const each of wanted) each.reject(error);
    }
  }
}
