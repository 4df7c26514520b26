/** Numbers, times and lists as the language of the app writes them. Times are Unix seconds. */

import { locale } from "./language.ts";

const DAY = 86_400;

/** What makes one of each for a locale: to make one takes longer than to use it a hundred times. */
function kept<T>(make: (locale: string) => T): () => T {
  let [made, of] = [undefined as T | undefined, ""];
  return () => {
    const now = locale();
    if (made === undefined || of !== now) [made, of] = [make(now), now];
    return made;
  };
}

const date = (options: Intl.DateTimeFormatOptions) => {
  const format = kept((locale) => new Intl.DateTimeFormat(locale, options));
  return (time: number): string => format().format(time * 1000);
};
const relative = kept((locale) => new Intl.RelativeTimeFormat(locale, { numeric: "auto" }));
const conjunction = kept((locale) => new Intl.ListFormat(locale, { type: "conjunction" }));
const plain = kept((locale) => new Intl.NumberFormat(locale));

const weekday = date({ weekday: "short" });
const day = date({ day: "numeric", month: "short" });
const dayOfYear = date({ day: "numeric", month: "numeric", year: "2-digit" });
const longDay = date({ weekday: "long", day: "numeric", month: "long" });
const longDayOfYear = date({ weekday: "long", day: "numeric", month: "long", year: "numeric" });

/** "14:05". */
export const formatTime = date({ hour: "numeric", minute: "2-digit" });

/** How many midnights lie between: 0 today, 1 yesterday. */
function daysAgo(time: number, now: number): number {
  const midnight = (seconds: number) => new Date(seconds * 1000).setHours(0, 0, 0, 0) / 1000;
  return Math.round((midnight(now) - midnight(time)) / DAY);
}

/** "Today", "Yesterday", "Tuesday, 3 November"; with the year when it is another one. */
export function formatDay(time: number, now: number = Date.now() / 1000): string {
  const ago = daysAgo(time, now);
  if (ago === 0 || ago === 1) {
    const words = relative().format(-ago, "day");
    return words.charAt(0).toLocaleUpperCase(locale()) + words.slice(1);
  }
  const thisYear = new Date(time * 1000).getFullYear() === new Date(now * 1000).getFullYear();
  return thisYear ? longDay(time) : longDayOfYear(time);
}

/** As short as it can be in a list: "14:05", "yesterday", "Tue", "3 Nov", "3.11.24". */
export function formatRelative(time: number, now: number = Date.now() / 1000): string {
  const ago = daysAgo(time, now);
  if (ago <= 0) return formatTime(time);
  if (ago === 1) return relative().format(-1, "day");
  if (ago < 7) return weekday(time);
  if (ago < 300) return day(time);
  return dayOfYear(time);
}

/** "99+" above `limit`. */
export function formatCount(count: number, limit = 99): string {
  return count > limit ? `${plain().format(limit)}+` : plain().format(count);
}

/** "Ada, Bob and Cyd". */
export const formatList = (names: readonly string[]): string => conjunction().format(names);

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;

/** "2.4 MB" from bytes, in steps of 1000. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const options: Intl.NumberFormatOptions = {
    style: "unit",
    unit: UNITS[unit] ?? "byte",
    unitDisplay: "short",
  };
  return new Intl.NumberFormat(locale(), {
    ...options,
    maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0,
  }).format(value);
}
