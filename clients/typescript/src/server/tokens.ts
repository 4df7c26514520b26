// JSON Web Tokens (RFC 7519) that Hubbub takes, signed with HS256 by WebCrypto. The server's side of the same rules is
// src/hubbub/auth/tokens.py: what it would refuse is refused here, where the mistake is.

import { base64url, hmacKey, utf8 } from "./encoding.js";

/** What a token may allow on a channel. */
export type ChannelOperation = "subscribe" | "publish" | "history" | "presence";

interface SignOptions {
  /** For how long it is good, in seconds from now. By default an hour. */
  ttl?: number;
  /** An id (`jti`), by which this one token can be revoked. */
  tokenId?: string;
  /** Which key it is signed with (`kid`), where the server has several. */
  keyId?: string;
  /** Must be the server's `auth.audience`, where that is set. */
  audience?: string;
  /** Must be the server's `auth.issuer`, where that is set. */
  issuer?: string;
  /** Unix seconds from which it counts. By default this machine's clock. */
  now?: number;
}

/** What a connection token says of its user. */
export interface TokenOptions extends SignOptions {
  /** Pattern of channels to what is allowed there; `*` in a pattern stands for any run of characters. */
  channels?: Readonly<Record<string, readonly (ChannelOperation | "*")[]>>;
  /** Channels that the server enters the session into when it connects. */
  subscribe?: readonly string[];
  /** Public object that presence shows, at most 4,096 bytes of JSON. `name` and `avatar` name a new user of the chat. */
  info?: Readonly<Record<string, unknown>>;
  /** By default `person`. */
  kind?: "person" | "agent" | "service";
}

/** What a subscription token allows in its one channel. */
export interface ChannelTokenOptions extends SignOptions {
  /** By default all but `publish`. */
  operations?: readonly (ChannelOperation | "*")[];
}

/** Length of the shortest secret that the server takes, in bytes. */
const SECRET_BYTES = 32;
const INFO_BYTES = 4096;
const TTL = 3600;
const UNFIT = /[\p{Cc}\p{Surrogate}]/u;

/**
 * A connection token for `user` (1 to 255 characters, no control characters).
 *
 * Throws TypeError for a secret below 32 bytes and for a user, an `info` or a `ttl` that the server would refuse.
 */
export function mintToken(secret: string, user: string, options: TokenOptions = {}): Promise<string> {
  const { channels, subscribe, info, kind, ...sign } = options;
  if (info !== undefined && utf8(JSON.stringify(info)).length > INFO_BYTES) {
    return Promise.reject(new TypeError(`info is longer than ${INFO_BYTES} bytes of JSON`));
  }
  return signed(secret, user, { kind, info, channels, subscribe }, sign);
}

/** A subscription token, which lets `user` into `channel` and cannot connect. Throws as `mintToken` does. */
export function mintChannelToken(
  secret: string,
  user: string,
  channel: string,
  options: ChannelTokenOptions = {},
): Promise<string> {
  const { operations, ...sign } = options;
  return signed(secret, user, { channel, operations }, sign);
}

async function signed(
  secret: string,
  user: string,
  claims: Record<string, unknown>,
  options: SignOptions,
): Promise<string> {
  const { ttl = TTL, tokenId, keyId, audience, issuer, now = Date.now() / 1000 } = options;
  const key = utf8(secret);
  if (key.length < SECRET_BYTES)
    throw new TypeError(`the token secret is shorter than ${SECRET_BYTES} bytes`);
  if (user === "" || [...user].length > 255 || UNFIT.test(user)) {
    throw new TypeError("a user is 1 to 255 characters without control characters");
  }
  if (!(ttl > 0 && ttl < Number.POSITIVE_INFINITY))
    throw new TypeError("ttl is not a positive number of seconds");
  const issued = Math.floor(now);
  const payload = {
    ...claims,
    sub: user,
    iat: issued,
    exp: Math.ceil(issued + ttl),
    jti: tokenId,
    aud: audience,
    iss: issuer,
  };
  const head = segment({ alg: "HS256", typ: "JWT", kid: keyId });
  const body = `${head}.${segment(payload)}`;
  const signature = await crypto.subtle.sign("HMAC", await hmacKey(key), utf8(body));
  return `${body}.${base64url(new Uint8Array(signature))}`;
}

/** JSON leaves out what is undefined. */
function segment(value: object): string {
  return base64url(utf8(JSON.stringify(value)));
}
