/** Which language the app speaks, and in which direction. */

import type { Text } from "./texts.ts";

export interface Language {
  readonly code: string;
  /** As its speakers call it. */
  readonly name: string;
  readonly direction: "ltr" | "rtl";
  /** What is translated, by room (folder) and key; the rest is English. Absent for English. */
  readonly load?: () => Promise<{ default: Translation }>;
}

export type Translation = Readonly<Record<string, Readonly<Record<string, Text>>>>;

const ENGLISH: Language = { code: "en", name: "English", direction: "ltr" };

/**
 * To add one: a file in `locales/` and a line here, such as
 * `{ code: "ar", name: "العربية", direction: "rtl", load: () => import("./locales/ar.ts") }`.
 */
export const LANGUAGES: readonly Language[] = [ENGLISH];

let current: Language = ENGLISH;
let texts: Translation = {};
const listeners = new Set<() => void>();

export const language = (): Language => current;

/** The locale of dates and numbers: the browser's own, where it is of the language of the app ("en-GB" and not "en"). */
export function locale(): string {
  const own = typeof navigator === "undefined" ? NONE : navigator.languages;
  if (found?.own !== own || found.code !== current.code) {
    const { code } = current;
    found = { own, code, locale: own.find((each) => each.split("-")[0] === code) ?? code };
  }
  return found.locale;
}

const NONE: readonly string[] = [];
let found: { own: readonly string[]; code: string; locale: string } | undefined; // the browser's list is the same object

export const translation = (): Translation => texts;

export function onLanguage(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The direction of the app: its language's, unless somebody has chosen another. */
export const direction = (): "ltr" | "rtl" => (document.documentElement.dir === "rtl" ? "rtl" : "ltr");

/** Speak another language: `code`, or the first of the browser's that we know; in its direction, or the `wanted` one. */
export async function applyLanguage(code: string | undefined, wanted?: "ltr" | "rtl"): Promise<void> {
  const next = choose(code === undefined ? navigator.languages : [code], LANGUAGES);
  const loaded = next === current ? texts : ((await next.load?.())?.default ?? {});
  document.documentElement.lang = next.code;
  document.documentElement.dir = wanted ?? next.direction;
  if (next !== current) speak(next, loaded);
}

/** The first of the wanted languages that is known, whatever its region; else the first that is known. */
export function choose(wanted: readonly string[], known: readonly Language[]): Language {
  const found = wanted.map((each) => known.find((language) => each.split("-")[0] === language.code));
  return found.find((each) => each !== undefined) ?? known[0] ?? ENGLISH;
}

/** Use these texts from now on. */
export function speak(language: Language, translated: Translation): void {
  current = language;
  texts = translated;
  for (const listener of [...listeners]) listener();
}
