import { describe, expect, test } from "vitest";
import { signWebhook, verifyWebhook, WebhookError, type WebhookHeaders } from "../../src/server/webhooks.js";

// The published example of Standard Webhooks, which its libraries of all languages are tested with.
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const NOW = 1614265330;
const BODY = '{"test": 2432232314}';
const SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const HEADERS = { "webhook-id": ID, "webhook-timestamp": String(NOW), "webhook-signature": SIGNATURE };
// Made with Python's hmac, apart from this code: secret "C2FVsBQIhrscChlQIMV+b5sSYspob7oD".
const OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const OTHER_SIGNATURE = "v1,78nXHjpFP0tVJQW5D0SBwmVyyW87BV/rL6MgfM/Bw44=";
const UMLAUT_SIGNATURE = "v1,vaqgMr30RDdWovInHo2CGrnwN40yE9jlIIITJgcY64k=";

const verify = (
  headers: WebhookHeaders = HEADERS,
  body: string | Uint8Array = BODY,
  secret: string | string[] = SECRET,
) => verifyWebhook(body, headers, secret, { now: NOW });

async function reason(attempt: Promise<unknown>): Promise<string> {
  const error = await attempt.then(
    () => "it was taken",
    (caught: unknown) => caught,
  );
  return error instanceof WebhookError ? error.reason : String(error);
}

describe("a good signature", () => {
  test("of the published example", async () => {
    expect(await verify()).toEqual({ id: ID, timestamp: NOW, payload: { test: 2432232314 } });
  });

  test("with headers of fetch, of Node, in any case", async () => {
    const upper = Object.fromEntries(
      Object.entries(HEADERS).map(([name, value]) => [name.toUpperCase(), value]),
    );
    const lists = Object.fromEntries(Object.entries(HEADERS).map(([name, value]) => [name, [value]]));
    for (const headers of [new Headers(HEADERS), upper, lists]) {
      expect((await verify(headers)).id).toBe(ID);
    }
  });

  test("with the body as bytes, and a secret without its prefix", async () => {
    expect((await verify(HEADERS, new TextEncoder().encode(BODY))).id).toBe(ID);
    expect((await verify(HEADERS, BODY, SECRET.slice(6))).id).toBe(ID);
  });

  test("of a body beyond ASCII", async () => {
    const headers = { ...HEADERS, "webhook-signature": UMLAUT_SIGNATURE };
    expect((await verify(headers, '{"text": "Grüße 👋"}')).payload).toEqual({ text: "Grüße 👋" });
  });

  test("among several, of which others are of other secrets and schemes", async () => {
    for (const signatures of [
      `${OTHER_SIGNATURE} ${SIGNATURE}`,
      `v1a,${SIGNATURE.slice(3)} v1,bm9uc2Vuc2U= ${SIGNATURE}`,
      `v1,%%% ${SIGNATURE} v2,x`,
    ]) {
      expect((await verify({ ...HEADERS, "webhook-signature": signatures })).id).toBe(ID);
    }
  });

  test("of any of several secrets, while one is being replaced", async () => {
    const other = { ...HEADERS, "webhook-signature": OTHER_SIGNATURE };
    expect((await verify(HEADERS, BODY, [OTHER_SECRET, SECRET])).id).toBe(ID);
    expect((await verify(other, BODY, [SECRET, OTHER_SECRET])).id).toBe(ID);
  });

  test("at the edges of the tolerance", async () => {
    for (const [now, tolerance] of [
      [NOW - 300, undefined],
      [NOW + 300, undefined],
      [NOW + 10, 10],
    ] as const) {
      const options = tolerance === undefined ? { now } : { now, tolerance };
      expect((await verifyWebhook(BODY, HEADERS, SECRET, options)).id).toBe(ID);
    }
  });
});

describe("it is refused", () => {
  test("when anything that is signed was changed", async () => {
    expect(await reason(verify(HEADERS, '{"test": 2432232315}'))).toBe("signature");
    expect(await reason(verify(HEADERS, '{"test":2432232314}'))).toBe("signature");
    expect(await reason(verify({ ...HEADERS, "webhook-id": "msg_other" }))).toBe("signature");
    expect(await reason(verify({ ...HEADERS, "webhook-timestamp": String(NOW + 1) }))).toBe("signature");
  });

  test("with a wrong, shortened, empty or unversioned signature, or another scheme's", async () => {
    const bare = SIGNATURE.slice(3);
    for (const signature of [
      OTHER_SIGNATURE,
      `v1,${btoa(atob(bare).slice(0, 31))}`,
      `v1,${btoa(`${atob(bare)}x`)}`,
      "v1,",
      "v1",
      bare,
      `v1a,${bare}`,
      `v2,${bare}`,
      `V1,${bare}`,
      " ",
    ]) {
      expect(await reason(verify({ ...HEADERS, "webhook-signature": signature })), signature).toBe(
        "signature",
      );
    }
  });

  test("when the right signature stands behind more than anybody would send", async () => {
    const many = `${"v1,AAAA ".repeat(8)}${SIGNATURE}`;
    expect(await reason(verify({ ...HEADERS, "webhook-signature": many }))).toBe("signature");
  });

  test("with another secret", async () => {
    expect(await reason(verify(HEADERS, BODY, OTHER_SECRET))).toBe("signature");
  });

  test("when it is too old, or from the future", async () => {
    for (const now of [NOW - 301, NOW + 301]) {
      expect(await reason(verifyWebhook(BODY, HEADERS, SECRET, { now }))).toBe("timestamp");
    }
    expect(await reason(verifyWebhook(BODY, HEADERS, SECRET))).toBe("timestamp"); // by this machine's clock
  });

  test("without a header, with an empty one, with one that came twice, with a time that is none", async () => {
    for (const name of Object.keys(HEADERS)) {
      expect(await reason(verify({ ...HEADERS, [name]: undefined })), name).toBe("headers");
      expect(await reason(verify({ ...HEADERS, [name]: "" })), name).toBe("headers");
      expect(await reason(verify({ ...HEADERS, [name]: ["a", "b"] })), name).toBe("headers");
    }
    expect(await reason(verify({ ...HEADERS, "Webhook-Id": "msg_other" }))).toBe("headers");
    for (const timestamp of ["1614265330.0", "+1614265330", "0x60378c32", "Infinity", "NaN", " 1614265330"]) {
      expect(await reason(verify({ ...HEADERS, "webhook-timestamp": timestamp })), timestamp).toBe("headers");
    }
  });

  test("when what is signed is not JSON", async () => {
    const headers = await signWebhook("hello", SECRET, { id: ID, timestamp: NOW });
    expect(await reason(verify(headers, "hello"))).toBe("payload");
  });

  test("and the message repeats nothing of it", async () => {
    const error = await verify({ ...HEADERS, "webhook-id": "secret-id" }).catch((caught: Error) => caught);
    expect(String(error)).not.toContain("secret-id");
  });
});

test("a secret that is none is the caller's mistake", async () => {
  for (const secret of ["", "whsec_", "whsec_%%%", []]) {
    await expect(verify(HEADERS, BODY, secret)).rejects.toThrow(TypeError);
  }
});

test("signing gives the published headers, and one signature for each secret", async () => {
  expect(await signWebhook(BODY, SECRET, { id: ID, timestamp: NOW })).toEqual(HEADERS);
  const both = await signWebhook(BODY, [SECRET, OTHER_SECRET], { id: ID, timestamp: NOW });
  expect(both["webhook-signature"]).toBe(`${SIGNATURE} ${OTHER_SIGNATURE}`);
  const now = await signWebhook(BODY, SECRET, { id: ID });
  expect((await verifyWebhook(BODY, now, SECRET)).id).toBe(ID);
});
