/** What lies over the app, one at a time: the palette and the help sheet. */

import { useSyncExternalStore } from "react";

export type Overlay = { readonly kind: "palette"; readonly start: string } | { readonly kind: "help" } | null;

let current: Overlay = null;
const listeners = new Set<() => void>();

function put(next: Overlay): void {
  current = next;
  for (const listener of [...listeners]) listener();
}

/** Open the palette; `start` is written into it: `>` for commands. */
export const openPalette = (start = ""): void => put({ kind: "palette", start });
export const openHelp = (): void => put({ kind: "help" });
export const closeOverlay = (): void => put(null);

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const read = (): Overlay => current;
export const useOverlay = (): Overlay => useSyncExternalStore(subscribe, read, read);
