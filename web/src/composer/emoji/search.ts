/** Emoji by their names, and those that were used last. */

import { emojiOf, GROUPS } from "./data.ts";

/** Those whose name, or a word of it, begins with `typed`; the best first. */
export function search(typed: string, most: number): readonly { emoji: string; name: string }[] {
  const wanted = typed.toLowerCase().replace(/\s+/g, "_");
  const found: { emoji: string; name: string; rank: number }[] = [];
  const seen = new Set<string>();
  for (const { emoji, names } of GROUPS.flatMap(emojiOf)) {
    if (seen.has(emoji)) continue;
    const ranks = names.map(
      (name, at) =>
        (name === wanted ? 0 : name.startsWith(wanted) ? 1 : name.includes(`_${wanted}`) ? 2 : 9) + at / 10,
    );
    const rank = Math.min(...ranks);
    if (rank >= 9) continue;
    seen.add(emoji);
    found.push({ emoji, name: names[0] ?? emoji, rank });
  }
  return found.sort((a, b) => a.rank - b.rank).slice(0, most);
}

const KEY = "hubbub:emoji";
const KEPT = 24;

/** What was used last, the last one first. */
export function recent(): readonly string[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter((each): each is string => typeof each === "string") : [];
  } catch {
    return [];
  }
}

export function used(emoji: string): void {
  try {
    const all = [emoji, ...recent().filter((each) => each !== emoji)].slice(0, KEPT);
    localStorage.setItem(KEY, JSON.stringify(all));
  } catch {
    // a browser that keeps nothing
  }
}
