/** Numbers, times and lists as the language of the app writes them. Times are Unix seconds. */

import { locale } from "./language.ts";

const DAY = 86_400;
const formats = new Map<string, Intl.DateTimeFormat>();

function date(options: Intl.DateTimeFormatOptions, time: number): string {
  const key = locale() + JSON.stringify(options);
  let format = formats.get(key);
  if (format === undefined) {
    format = new Intl.DateTimeFormat(locale(), options);
    formats.set(key, format);
  }
  return format.format(time * 1000);
}

/** "14:05". */
export const formatTime = (time: number): string => date({ hour: "numeric", minute: "2-digit" }, time);

/** How many midnights lie between: 0 today, 1 yesterday. */
function daysAgo(time: number, now: number): number {
  const midnight = (seconds: number) => new Date(seconds * 1000).setHours(0, 0, 0, 0) / 1000;
  return Math.round((midnight(now) - midnight(time)) / DAY);
}

/** "Today", "Yesterday", "Tuesday, 3 November"; with the year when it is another one. */
export function formatDay(time: number, now: number = Date.now() / 1000): string {
  const ago = daysAgo(time, now);
  if (ago === 0 || ago === 1) {
    const words = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" }).format(-ago, "day");
    return words.charAt(0).toLocaleUpperCase(locale()) + words.slice(1);
  }
  const year = new Date(time * 1000).getFullYear() === new Date(now * 1000).getFullYear();
  return date({ weekday: "long", day: "numeric", month: "long", ...(year ? {} : { year: "numeric" }) }, time);
}

/** As short as it can be in a list: "14:05", "yesterday", "Tue", "3 Nov", "3.11.24". */
export function formatRelative(time: number, now: number = Date.now() / 1000): string {
  const ago = daysAgo(time, now);
  if (ago <= 0) return formatTime(time);
  if (ago === 1) return new Intl.RelativeTimeFormat(locale(), { numeric: "auto" }).format(-1, "day");
  if (ago < 7) return date({ weekday: "short" }, time);
  if (ago < 300) return date({ day: "numeric", month: "short" }, time);
  return date({ day: "numeric", month: "numeric", year: "2-digit" }, time);
}

/** "99+" above `limit`. */
export function formatCount(count: number, limit = 99): string {
  return count > limit ? `${limit.toLocaleString(locale())}+` : count.toLocaleString(locale());
}

/** "Ada, Bob and Cyd". */
export const formatList = (names: readonly string[]): string =>
  new Intl.ListFormat(locale(), { type: "conjunction" }).format(names);

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
