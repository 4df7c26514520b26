/** Milliseconds before a first attempt: soon, but spread, so that a herd does not come back as one. */
export const FIRST = { least: 50, most: 250 } as const;
/** Milliseconds: the bound on waits at first, and at last. */
const BOUND = { first: 2_000, last: 20_000 } as const;
const PATIENCE = 12; // a bound is this part of the time that trouble has lasted: 5 s after a minute, 20 s after four

/**
 * Milliseconds to wait before `attempt`, counted from 1: 50 to 250 at first, then any time up to a bound that doubles
 * (full jitter). It is at most 2 s, and grows with the `trouble`, the milliseconds since it began: to 5 s
 * within the first minute, and to 20 s within four; without `trouble`, the 20 s count at once.
 */
export function delay(
  attempt: number,
  trouble = Number.POSITIVE_INFINITY,
  random: () => number = Math.random,
): number {
  const bound = Math.min(Math.max(trouble / PATIENCE, BOUND.first), BOUND.last);
  const most = Math.min(FIRST.most * 2 ** Math.min(attempt - 1, 16), bound);
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
