/** Milliseconds before a first attempt: soon, but spread, so that a herd does not come back as one. */
export const FIRST = { least: 50, most: 250 } as const;
const LONGEST = 20_000;

/**
 * Milliseconds to wait before `attempt`, counted from 1: 50 to 250 at first, then any time up to a bound that doubles,
 * at most 20 s (full jitter).
 */
export function delay(attempt: number, random: () => number = Math.random): number {
  const most = Math.min(FIRST.most * 2 ** Math.min(attempt - 1, 16), LONGEST);
  return FIRST.least + random() * (most - FIRST.least);
}

/** A random key: 128 bits, of the host's best source. */
export function randomKey(): string {
  const bytes = new Uint8Array(16);
  const crypto = (globalThis as { crypto?: Crypto }).crypto;
  // React Native has no `crypto` unless it is given one. Keys are to be different, not secret.
  if (crypto?.getRandomValues) crypto.getRandomValues(bytes);
  else for (let at = 0; at < bytes.length; at++) bytes[at] = Math.random() * 256;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
