/** Texts with placeholders and plural forms, typed by the keys and values that they have. */

import { useMemo, useSyncExternalStore } from "react";
import { language, onLanguage, type Translation, translation } from "./language.ts";

/** A text with `{placeholders}`, or one for each plural category of `{count}`. */
export type Text = string | ({ other: string } & Partial<Record<Intl.LDMLPluralRule, string>>);
export type Values = Readonly<Record<string, string | number>>;

export interface Texts<T extends Record<string, Text>> {
  readonly room: string;
  readonly english: T;
}

/** Texts of one folder, whose name is `room`: translations say it too. */
export function define<const T extends Record<string, Text>>(room: string, english: T): Texts<T> {
  return { room, english };
}

export type Translate<T extends Record<string, Text>> = (key: keyof T & string, values?: Values) => string;

/** The text in the language of the app; English where it has no translation. For code that renders, `useTexts`. */
export function translate<T extends Record<string, Text>>(
  texts: Texts<T>,
  key: keyof T & string,
  values: Values = {},
): string {
  const translated = translation()[texts.room]?.[key];
  const text: Text = translated ?? texts.english[key] ?? key;
  return fill(text, values, translated === undefined ? "en" : language().code);
}

/** `t("key", { name })` in the language of the app; renders again when the language changes. */
export function useTexts<T extends Record<string, Text>>(texts: Texts<T>): Translate<T> {
  const current = useSyncExternalStore<Translation>(onLanguage, translation, translation);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `current` is what `translate` reads
  return useMemo(() => (key, values) => translate(texts, key, values), [texts, current]);
}

const rules = new Map<string, Intl.PluralRules>();
const numbers = new Map<string, Intl.NumberFormat>();

/** Choose the plural form and put the values in. A number is written as the language writes it. */
export function fill(text: Text, values: Values, code: string): string {
  let form: string;
  if (typeof text === "string") {
    form = text;
  } else {
    let rule = rules.get(code);
    if (rule === undefined) {
      rule = new Intl.PluralRules(code);
      rules.set(code, rule);
    }
    form = text[rule.select(Number(values.count ?? 0))] ?? text.other;
  }
  return form.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? numberIn(code, value) : value;
  });
}

function numberIn(code: string, value: number): string {
  let format = numbers.get(code);
  if (format === undefined) {
    format = new Intl.NumberFormat(code);
    numbers.set(code, format);
  }
  return format.format(value);
}
