import type { DisconnectPush } from "../generated/protocol.js";

/** Codes that this package itself acts upon or makes. docs/reference/errors.md has all. */
export const CODE = {
  invalidToken: 102,
  tokenExpired: 103,
  unauthenticated: 101,
  badRequest: 107,
  alreadySubscribed: 112,
  notSubscribed: 113,
  sessionGone: 119,
  timeout: 121,
  normal: 1000,
  lost: 1006,
  expired: 3400,
  authFailed: 3501,
} as const;

/** Names of the disconnects that end a client, which are not on the wire. */
const ENDS: Readonly<Record<number, string>> = {
  1000: "closed",
  1002: "protocol_error",
  1003: "unsupported_data",
  1007: "invalid_utf8",
  1009: "too_large",
  3400: "expired",
  3500: "bad_command",
  3501: "auth_failed",
  3502: "forced",
  3503: "revoked",
  3504: "replaced",
  3505: "flood",
  3506: "user_limit",
};

/** A refusal as it is on the wire. */
export interface WireError {
  readonly code: number;
  readonly message: string;
  readonly name?: string | undefined;
  readonly temporary?: boolean | undefined;
  readonly retry_after?: number | undefined;
  readonly field?: string | undefined;
}

/** The same in the words of JavaScript. */
export interface Refusal {
  readonly code: number;
  readonly name: string;
  readonly message: string;
  /** Whether the same may succeed later. */
  readonly temporary?: boolean;
  /** Seconds to wait before that. */
  readonly retryAfter?: number | undefined;
  /** Which part of the request was wrong. */
  readonly field?: string | undefined;
}

/**
 * A refusal by the server (`code` 100-399), an end of the connection (1000-4999, docs/reference/errors.md), or no
 * answer at all (1006 `connection_lost`, 121 `timeout`). `name` is the server's: switch on it, or on `code`.
 */
export class HubbubError extends Error {
  override readonly name: string;
  readonly code: number;
  readonly temporary: boolean;
  declare readonly retryAfter?: number; // declared: absent if there is none
  declare readonly field?: string;

  constructor(refusal: Refusal, options?: ErrorOptions) {
    super(refusal.message, options);
    this.name = refusal.name;
    this.code = refusal.code;
    this.temporary = refusal.temporary ?? false;
    if (refusal.retryAfter !== undefined) this.retryAfter = refusal.retryAfter;
    if (refusal.field !== undefined) this.field = refusal.field;
  }

  /** From a refusal on the wire: an `error` reply, or the body of a refused HTTP request. */
  static from(reply: WireError): HubbubError {
    const { code, name, message, temporary = false, retry_after: retryAfter, field } = reply;
    return new HubbubError({ code, name: name || `error_${code}`, message, temporary, retryAfter, field });
  }
}

/** The error for an end that cannot be come back from. */
export function ended(code: number, reason: string): HubbubError {
  return new HubbubError({
    code,
    name: ENDS[code] ?? "disconnected",
    message: reason || `closed with ${code}`,
  });
}

/** The error for a connection that broke before the answer came: whether the request was carried out is not known. */
export function lost(reason: string): HubbubError {
  return new HubbubError({ code: CODE.lost, name: "connection_lost", message: reason, temporary: true });
}

/**
 * Why a connection ended, and what follows: `again` with the same session, with a new one (`fresh`), or not at all.
 * The ranges are those of docs/reference/errors.md, so that codes that are not known yet are understood too.
 */
export interface Ending {
  readonly code: number;
  readonly reason: string;
  readonly again: boolean;
  readonly fresh: boolean;
  /** Seconds that the server wants to be waited for. */
  readonly retryAfter?: number | undefined;
}

export function ending(code: number, reason: string, push?: DisconnectPush): Ending {
  const final = (code >= 3500 && code < 4000) || [1002, 1003, 1007, 1009].includes(code);
  return {
    code,
    reason: reason || `closed with ${code}`,
    again: push ? push.reconnect : !final,
    fresh: code >= 3400 && code < 3500,
    retryAfter: push?.retry_after,
  };
}

/** What `error` says, whatever was thrown. */
export function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
