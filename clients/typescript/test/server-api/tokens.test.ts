import { describe, expect, test } from "vitest";
import { mintChannelToken, mintToken } from "../../src/server/tokens.js";

const SECRET = "0123456789abcdef0123456789abcdef";
const NOW = 1790000000;

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<
    string,
    unknown
  >;
}

test("a token is what PyJWT makes of the same claims, to the byte", async () => {
  // jwt.encode({"sub": "ada", "iat": 1790000000, "exp": 1790003600}, SECRET, algorithm="HS256")
  expect(await mintToken(SECRET, "ada", { now: NOW })).toBe(
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEiLCJpYXQiOjE3OTAwMDAwMDAsImV4cCI6MTc5MDAwMzYwMH0.hcCNvFqed92dOTbo2CMUs3ZP6VHg7FzUAB-o4S3lv_A",
  );
});

test("it says what was given, and leaves out what was not", async () => {
  const token = await mintToken(SECRET, "Zoë 🦊", {
    now: NOW + 0.9,
    ttl: 59.5,
    channels: { "orders:*": ["subscribe", "history"], "*": ["*"] },
    subscribe: ["orders:eu"],
    info: { name: "Zoë" },
    kind: "agent",
    tokenId: "t1",
    audience: "hubbub",
    issuer: "me",
    keyId: "k1",
  });
  expect(claimsOf(token)).toEqual({
    sub: "Zoë 🦊",
    iat: NOW,
    exp: NOW + 60,
    channels: { "orders:*": ["subscribe", "history"], "*": ["*"] },
    subscribe: ["orders:eu"],
    info: { name: "Zoë" },
    kind: "agent",
    jti: "t1",
    aud: "hubbub",
    iss: "me",
  });
  expect(JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString())).toEqual({
    alg: "HS256",
    typ: "JWT",
    kid: "k1",
  });
  expect(Object.keys(claimsOf(await mintToken(SECRET, "ada"))).sort()).toEqual(["exp", "iat", "sub"]);
});

test("a channel token names its channel, and what is allowed there", async () => {
  const token = await mintChannelToken(SECRET, "ada", "room:17", { now: NOW, ttl: 300 });
  expect(claimsOf(token)).toEqual({ sub: "ada", iat: NOW, exp: NOW + 300, channel: "room:17" });
  const writing = await mintChannelToken(SECRET, "ada", "room:17", { operations: ["*"] });
  expect(claimsOf(writing).operations).toEqual(["*"]);
});

describe("what the server would refuse is refused here", () => {
  test.each([
    ["a short secret", () => mintToken("ä".repeat(15), "ada")],
    ["no user", () => mintToken(SECRET, "")],
    ["a long user", () => mintToken(SECRET, "🦊".repeat(256))],
    ["a control character", () => mintToken(SECRET, "a\nb")],
    ["half of a pair", () => mintToken(SECRET, "a\ud83e")],
    ["no time", () => mintToken(SECRET, "ada", { ttl: 0 })],
    ["time that never ends", () => mintToken(SECRET, "ada", { ttl: Number.POSITIVE_INFINITY })],
    ["much info", () => mintToken(SECRET, "ada", { info: { text: "ä".repeat(2048) } })],
  ])("%s", async (_, mint) => {
    await expect(mint()).rejects.toThrow(TypeError);
  });

  test("and what it would just take is taken", async () => {
    await mintToken("ä".repeat(16), "🦊".repeat(255), { info: { text: "x".repeat(4085) } });
  });
});
