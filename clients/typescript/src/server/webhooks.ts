// Webhooks after the Standard Webhooks specification 1.0.0 (standardwebhooks.com), scheme `v1`: HMAC with SHA-256 of
// `<id>.<timestamp>.<body>`. Works on bytes: a body that was parsed and written again has another signature.

import { base64, fromBase64, hmacKey, utf8 } from "./encoding.js";

/** A webhook whose signature is good. */
export interface Webhook<T = unknown> {
  /** The same for each attempt to deliver one event: who has seen it drops it. */
  id: string;
  /** When this attempt was signed, Unix seconds. */
  timestamp: number;
  /** The body's JSON. */
  payload: T;
}

/** What headers may come in: those of `fetch`, of Node and Express, of tests. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

export interface WebhookOptions {
  /** How far `webhook-timestamp` may lie from now, in seconds to both sides. By default 300. */
  tolerance?: number;
  /** Unix seconds; by default this machine's clock. */
  now?: number;
}

/** Why a webhook is not to be trusted. Answer it with status 400 (`signature`: 401) and do nothing else. */
export class WebhookError extends Error {
  /** `headers`: one is missing or malformed; `timestamp`: too old or in the future; `payload`: signed, but no JSON. */
  readonly reason: "headers" | "timestamp" | "signature" | "payload";

  constructor(reason: WebhookError["reason"], message: string) {
    super(message);
    this.name = "WebhookError";
    this.reason = reason;
  }
}

const TOLERANCE = 300;
const SECRET_PREFIX = "whsec_";
/** Signatures beyond so many are not looked at: nobody rotates more keys, and each costs time. */
const SIGNATURES = 8;

/**
 * The webhook in a request, once its signature is known to be good.
 *
 * `body` is the raw body as it came. `secret` is `whsec_` and base64, or several of them while one is being replaced:
 * one that fits is enough, as is one signature of several. Rejects with WebhookError, whose message holds nothing of
 * the request; throws TypeError for a secret that is none. Comparisons take the same time wherever they differ.
 */
export async function verifyWebhook<T = unknown>(
  body: string | Uint8Array | ArrayBuffer,
  headers: WebhookHeaders,
  secret: string | readonly string[],
  options: WebhookOptions = {},
): Promise<Webhook<T>> {
  const { tolerance = TOLERANCE, now = Date.now() / 1000 } = options;
  const keys = await Promise.all((typeof secret === "string" ? [secret] : secret).map(keyOf));
  if (keys.length === 0) throw new TypeError("there is no webhook secret");
  const id = header(headers, "webhook-id");
  const stamp = header(headers, "webhook-timestamp");
  const signatures = header(headers, "webhook-signature");
  if (!/^[0-9]{1,12}$/.test(stamp))
    throw new WebhookError("headers", "webhook-timestamp is not Unix seconds");
  const timestamp = Number(stamp);
  if (!(Math.abs(now - timestamp) <= tolerance)) {
    throw new WebhookError("timestamp", `webhook-timestamp is more than ${tolerance} s away`);
  }
  const bytes = typeof body === "string" ? utf8(body) : new Uint8Array(body);
  const content = signedContent(id, stamp, bytes);
  const given = signaturesOf(signatures);
  // WebCrypto compares in constant time, and all pairs are looked at: time tells nothing of which one fits.
  const fits = await Promise.all(
    keys.flatMap((key) => given.map((signature) => crypto.subtle.verify("HMAC", key, signature, content))),
  );
  if (!fits.includes(true)) throw new WebhookError("signature", "no signature of the webhook fits");
  return { id, timestamp, payload: json(bytes) as T };
}

/**
 * The headers of a webhook, signed: for tests of what receives them. `timestamp` is Unix seconds, by default now.
 *
 * With several secrets there are several signatures, as while one is being replaced.
 */
export async function signWebhook(
  body: string | Uint8Array,
  secret: string | readonly string[],
  { id, timestamp = Math.floor(Date.now() / 1000) }: { id: string; timestamp?: number },
): Promise<Record<"webhook-id" | "webhook-timestamp" | "webhook-signature", string>> {
  const content = signedContent(id, String(timestamp), typeof body === "string" ? utf8(body) : body);
  const signatures = (typeof secret === "string" ? [secret] : secret).map(async (each) => {
    const signature = await crypto.subtle.sign("HMAC", await keyOf(each), content);
    return `v1,${base64(new Uint8Array(signature))}`;
  });
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": (await Promise.all(signatures)).join(" "),
  };
}

function keyOf(secret: string): Promise<CryptoKey> {
  const bytes = fromBase64(secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret);
  if (bytes === undefined || bytes.length === 0) throw new TypeError("a webhook secret is whsec_ and base64");
  return hmacKey(bytes);
}

function signedContent(id: string, timestamp: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = utf8(`${id}.${timestamp}.`);
  const content = new Uint8Array(head.length + body.length);
  content.set(head);
  content.set(body, head.length);
  return content;
}

/** The signatures of scheme v1, which are `v1,<base64>` with spaces between; others are of later versions. */
function signaturesOf(text: string): Uint8Array<ArrayBuffer>[] {
  return text
    .split(" ")
    .filter((each) => each.startsWith("v1,"))
    .slice(0, SIGNATURES)
    .map((each) => fromBase64(each.slice(3)))
    .filter((bytes) => bytes !== undefined);
}

function header(headers: WebhookHeaders, name: string): string {
  const value = typeof headers.get === "function" ? headers.get(name) : plain(headers as object, name);
  if (typeof value !== "string" || value === "") throw new WebhookError("headers", `there is no ${name}`);
  return value;
}

/** From an object whose names may be written in any case; a header that came twice is none. */
function plain(headers: object, name: string): unknown {
  const values = Object.entries(headers).filter(([key]) => key.toLowerCase() === name);
  const value: unknown = values.length === 1 ? values[0]?.[1] : undefined;
  return Array.isArray(value) && value.length === 1 ? value[0] : value;
}

function json(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new WebhookError("payload", "the webhook's body is not JSON");
  }
}
