// Requests to the server API: credentials, time limits, repeats that are safe, refusals as HubbubError.

import { CODE, HubbubError, lost, text } from "../core/errors.js";
import type { ErrorBody } from "../generated/rest.js";

/** What can be said of any call. */
export interface CallOptions {
  /** Idempotency key. By default one is made up for each call that takes one, and kept for its repeats. */
  key?: string;
  /** Gives the call up, with its reason; whether it was carried out is then not known. */
  signal?: AbortSignal;
}

export interface HttpOptions {
  /** API key, `hubbub token --api-key`. */
  apiKey?: string | undefined;
  /** For how long one attempt may take, in seconds. By default 10. */
  timeout?: number | undefined;
  /** How many times a call is repeated that may be repeated. By default 4; 0 for never. */
  retries?: number | undefined;
  /** Seconds before repeat number `repeat` (0, 1, ...). By default up to 0.1, 0.2, ... 5, at random. */
  backoff?: ((repeat: number) => number) | undefined;
  /** By default the runtime's. */
  fetch?: typeof fetch | undefined;
}

/** One call as HTTP has it. `path` is encoded already. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  /** Sent as JSON; a Blob or bytes as they are. */
  readonly body?: unknown;
  /** In whose place. */
  readonly user?: string | undefined;
  readonly key?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const TIMEOUT = 10;
const RETRIES = 4;
const FIRST_PAUSE = 0.1;
const LONGEST_PAUSE = 5;
/** Whoever is told to wait for longer than this, in seconds, gets the refusal at once. */
const PATIENCE = 10;
/** What may be done twice without harm (RFC 9110, section 9.2.2). */
const IDEMPOTENT = new Set(["GET", "HEAD", "PUT", "DELETE"]);
/** What the server says when it has not begun: such a call may be repeated whatever it is. */
const NOT_BEGUN = new Set([
  "rate_limited",
  "slow_mode",
  "draining",
  "overloaded",
  "connection_limit",
  "moderation_unavailable",
]);

export class Http {
  readonly base: string;
  readonly #options: HttpOptions;

  /** Throws TypeError for what is no http or https URL. */
  constructor(url: string, options: HttpOptions) {
    const { protocol, origin, pathname } = new URL(url);
    if (protocol !== "http:" && protocol !== "https:")
      throw new TypeError("the server's URL is not http or https");
    this.base = origin + pathname.replace(/\/+$/, "");
    this.#options = options;
  }

  /**
   * What the server answers, as JSON.
   *
   * Rejects with HubbubError: as the server refuses, or `connection_lost` or `timeout` when it cannot be reached; the signal's reason when that is aborted. Throws TypeError without an API key.
   */
  async call<T>(call: Call): Promise<T> {
    const repeats = this.#options.retries ?? RETRIES;
    for (let repeat = 0; ; repeat++) {
      try {
        return (await this.#attempt(call)) as T;
      } catch (error) {
        if (!(error instanceof HubbubError) || repeat >= repeats || !repeatable(call, error)) throw error;
        const pause = Math.max(error.retryAfter ?? 0, (this.#options.backoff ?? backoff)(repeat));
        if (pause > PATIENCE) throw error;
        await sleep(pause, call.signal);
      }
    }
  }

  async #attempt(call: Call): Promise<unknown> {
    const { apiKey, timeout = TIMEOUT, fetch: send = fetch } = this.#options;
    if (!apiKey) throw new TypeError("this needs an API key: new HubbubServer(url, { apiKey })");
    const headers: Record<string, string> = { Authorization: `Bearer ${apiKey}` };
    // Header values are Latin-1, users any text.
    if (call.user !== undefined) headers["Hubbub-User"] = encodeURIComponent(call.user);
    if (call.key !== undefined) headers["Idempotency-Key"] = call.key;
    const init: RequestInit = { method: call.method, headers };
    if (call.body instanceof Blob || call.body instanceof Uint8Array) init.body = call.body as BodyInit;
    else if (call.body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(call.body);
    }
    const limit = AbortSignal.timeout(timeout * 1000);
    init.signal = call.signal ? AbortSignal.any([call.signal, limit]) : limit;
    let response: Response;
    let body: string;
    try {
      response = await send(this.base + call.path + search(call.query), init);
      body = await response.text();
    } catch (error) {
      call.signal?.throwIfAborted();
      throw limit.aborted ? late(timeout) : unreachable(error);
    }
    const answer = parsed(body);
    if (!response.ok) throw refusal(response, answer);
    if (answer === undefined) throw lost("what answers there is not Hubbub: it is not JSON");
    return answer;
  }
}

function repeatable(call: Call, error: HubbubError): boolean {
  if (!error.temporary) return false;
  return call.key !== undefined || IDEMPOTENT.has(call.method) || NOT_BEGUN.has(error.name);
}

function backoff(repeat: number): number {
  return Math.random() * Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** repeat);
}

function sleep(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

/** The query with a `?`, without what is undefined or null; what there are many of is repeated. */
function search(query: Call["query"]): string {
  const pairs = Object.entries(query ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((each) => each !== undefined && each !== null)
      .map((each): [string, string] => [name, String(each)]),
  );
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Of the server, or of a proxy before it, which has no table of errors. */
function refusal(response: Response, answer: unknown): HubbubError {
  const header = response.headers.get("Retry-After");
  const after = header === null ? Number.NaN : Number(header); // a date is passed over
  const retry_after = Number.isFinite(after) ? after : undefined;
  if (isErrorBody(answer)) return HubbubError.from({ retry_after, ...answer });
  const message = `HTTP ${response.status} from what stands before the server`;
  return [408, 429, 500, 502, 503, 504].includes(response.status)
    ? HubbubError.from({ code: CODE.lost, name: "connection_lost", message, temporary: true, retry_after })
    : HubbubError.from({ code: CODE.badRequest, name: "bad_request", message });
}

function isErrorBody(answer: unknown): answer is ErrorBody {
  return typeof answer === "object" && answer !== null && "code" in answer && "temporary" in answer;
}

function late(seconds: number): HubbubError {
  const message = `the server does not answer within ${seconds} s`;
  return new HubbubError({ code: CODE.timeout, name: "timeout", message, temporary: true });
}

/** With what `fetch` hides in the cause of its TypeError. */
function unreachable(error: unknown): HubbubError {
  const cause = (error instanceof Error && error.cause) || error;
  const code = (cause as { code?: unknown } | null)?.code;
  return lost(`the server is not reached: ${typeof code === "string" ? code : text(cause)}`);
}
