/** What somebody has chosen on this device: kept in localStorage, shared by its tabs, and set on <html>. */

import { useSyncExternalStore } from "react";
import { applyLanguage } from "../i18n/index.ts";
import { read, type Settings } from "./choices.ts";

const KEY = "hubbub:settings";

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
