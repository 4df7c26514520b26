const HUES = 8;

/** Which of the eight colours an id has: always the same one. */
export function hue(id: string): number {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return sum % HUES;
}

const segmenter = new Intl.Segmenter();
const PLAIN = /^[a-z0-9](?![^ -~])/i; // nothing is combined with it
const KEPT = 500;
const known = new Map<string, string>();

/** The first letters of the first and the last word; whole characters, also of scripts that combine them. */
export function initials(name: string): string {
  let found = known.get(name);
  if (found === undefined) {
    if (known.size >= KEPT) known.clear();
    found = make(name);
    known.set(name, found);
  }
  return found;
}

function make(name: string): string {
  const words = name
    .trim()
    .split(/[\s._-]+/u)
    .filter(Boolean);
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words;
  return ends
    .map((word = "") =>
      PLAIN.test(word) ? word.charAt(0) : ([...segmenter.segment(word)][0]?.segment ?? ""),
    )
    .join("")
    .toLocaleUpperCase();
}
