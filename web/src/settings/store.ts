/** What somebody has chosen on this device: kept in localStorage, shared by its tabs, and set on <html>. */

import { useSyncExternalStore } from "react";
import { applyLanguage } from "../i18n/index.ts";

export interface Settings {
  readonly theme: "system" | "light" | "dark";
  readonly density: "comfortable" | "compact";
  readonly motion: "system" | "reduced" | "full";
  /** A code such as `de`; undefined: the browser's. */
  readonly language: string | undefined;
  readonly direction: "auto" | "ltr" | "rtl";
  readonly notifications: "all" | "mentions" | "none";
  readonly sound: boolean;
  /** Show what a message says in its notification. */
  readonly preview: boolean;
  readonly unreadFirst: boolean;
  readonly sendWith: "enter" | "mod-enter";
  /** Widths of panes in px, by their names. */
  readonly widths: Readonly<Record<string, number>>;
  readonly folded: readonly string[];
}

export const DEFAULTS: Settings = {
  theme: "system",
  density: "comfortable",
  motion: "system",
  language: undefined,
  direction: "auto",
  notifications: "all",
  sound: true,
  preview: true,
  unreadFirst: false,
  sendWith: "enter",
  widths: {},
  folded: [],
};

const KEY = "hubbub:settings";

/** Settings from what was stored; what is not ours, or of another type, is as if it were not there. */
export function read(stored: string | null): Settings {
  let found: unknown;
  try {
    found = JSON.parse(stored ?? "{}");
  } catch {
    return DEFAULTS;
  }
  if (typeof found !== "object" || found === null) return DEFAULTS;
  const values = Object.entries(DEFAULTS).map(([key, usual]) => {
    const value: unknown = (found as Record<string, unknown>)[key];
    const fits =
      usual === undefined ? typeof value === "string" : typeof value === typeof usual && value !== null;
    return [key, fits && Array.isArray(value) === Array.isArray(usual) ? value : usual];
  });
  return Object.fromEntries(values) as Settings;
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a browser that keeps nothing
  }
}

let current = read(typeof localStorage === "undefined" ? null : stored());
const listeners = new Set<() => void>();

export const settings = (): Settings => current;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useSettings = (): Settings => useSyncExternalStore(subscribe, settings, settings);

/** Change some, here and in the other tabs. */
export function change(changes: Partial<Settings>): void {
  current = { ...current, ...changes };
  try {
    localStorage.setItem(KEY, JSON.stringify(current));
  } catch {
    // it holds as long as the page
  }
  apply();
  for (const listener of [...listeners]) listener();
}

/** Set on <html> what CSS looks at. */
function apply(): void {
  const root = document.documentElement;
  const put = (name: string, value: string, usual: string) => {
    if (value === usual) delete root.dataset[name];
    else root.dataset[name] = value;
  };
  put("theme", current.theme, "system");
  put("density", current.density, "comfortable");
  put("motion", current.motion, "system");
  void applyLanguage(current.language, current.direction === "auto" ? undefined : current.direction);
}

/** Call once, before the first render. */
export function startSettings(): void {
  apply();
  addEventListener("storage", (event) => {
    if (event.key !== KEY) return;
    current = read(event.newValue);
    apply();
    for (const listener of [...listeners]) listener();
  });
}
