/** How well a text fits what somebody has typed. Pure. */

import { fold } from "../conversations/rows.ts";

/**
 * How well `query` fits `text`; 0: not at all. Its letters must come in order; at the beginning of the text or of words
 * they count more, and so do those that follow each other.
 */
export function score(text: string, query: string): number {
  const wanted = fold(query).replace(/\s+/g, "");
  if (wanted === "") return 1;
  const folded = fold(text);
  const whole = folded.indexOf(fold(query).trim());
  if (whole === 0) return 1000 - folded.length / 100;
  const word = wordAt(folded, fold(query).trim());
  if (word !== -1) return 800 - word / 10 - folded.length / 100;
  if (whole !== -1) return 500 - whole / 10 - folded.length / 100;
  let at = -1;
  let sum = 0;
  let run = 0;
  for (const letter of wanted) {
    const next = folded.indexOf(letter, at + 1);
    if (next === -1) return 0;
    run = next === at + 1 ? run + 1 : 0;
    sum += 1 + run * 3 + (starts(folded, next) ? 8 : 0);
    at = next;
  }
  return sum / (1 + folded.length / 40);
}

/** Where `part` stands at the beginning of a word; -1: nowhere. */
function wordAt(text: string, part: string): number {
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + 1))
    if (starts(text, at)) return at;
  return -1;
}

const starts = (text: string, at: number): boolean => at === 0 || !/[\p{L}\d]/u.test(text[at - 1] ?? "");

/** Those that fit, the best first; of equals the order stays. At most `limit`. */
export function best<T>(
  items: readonly T[],
  query: string,
  textOf: (item: T) => string,
  limit: number,
): readonly T[] {
  return items
    .map((item) => ({ item, points: score(textOf(item), query) }))
    .filter(({ points }) => points > 0)
    .sort((a, b) => b.points - a.points)
    .slice(0, limit)
    .map(({ item }) => item);
}
