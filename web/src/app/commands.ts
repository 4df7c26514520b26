/**
 * What one can do from the keyboard: the command palette, the help sheet and the shortcuts are all made of this one
 * list. A component that is shown adds its commands by `useCommands`, and they leave with it.
 */

import { useEffect, useRef, useSyncExternalStore } from "react";
import type { IconName } from "../ui/icons.ts";
import { matches } from "./keys.ts";

export interface Command {
  /** Unique: `conversation.mute`. */
  readonly id: string;
  readonly title: string;
  /** The heading in the help sheet and the palette, translated. */
  readonly group: string;
  readonly icon?: IconName;
  /** `Mod+K`, `?`, `Alt+ArrowDown`, `g t` (one after the other). `Mod` is Command on a Mac, else Control. */
  readonly keys?: readonly string[];
  /** Works while somebody writes, too. Those with Mod or Alt always do. */
  readonly whileTyping?: boolean;
  /** Not in the palette: for what makes no sense there. */
  readonly hidden?: boolean;
  /** In the help sheet only: the keys are matched where they work, on what has the focus. */
  readonly told?: boolean;
  /** false: there was nothing to do, and the key is somebody else's. */
  run(): unknown;
}

let commands: readonly Command[] = [];
const sources = new Map<object, readonly Command[]>();
const listeners = new Set<() => void>();

function changed(): void {
  commands = [...sources.values()].flat();
  for (const listener of [...listeners]) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** All commands that there are now; the last added of one id counts. */
export const useAllCommands = (): readonly Command[] =>
  useSyncExternalStore(
    subscribe,
    () => commands,
    () => commands,
  );

/** Offer these while the component is shown. `run` may close over anything: the newest is called. */
export function useCommands(list: readonly Command[]): void {
  const newest = useRef(list);
  newest.current = list;
  const shape = JSON.stringify(list.map(({ id, title, group, keys }) => [id, title, group, keys]));
  // biome-ignore lint/correctness/useExhaustiveDependencies: `shape` is all of the list that is shown
  useEffect(() => {
    const token = {};
    const steady = newest.current.map((command) => ({
      ...command,
      run: () => newest.current.find((each) => each.id === command.id)?.run(),
    }));
    sources.set(token, steady);
    changed();
    return () => {
      sources.delete(token);
      changed();
    };
  }, [shape]);
}

const SEQUENCE = 1200; // milliseconds between the keys of "g t"
let first: { key: string; at: number } | undefined;

/** Run what the key means. Called once, for the document. */
export function handleKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || document.querySelector("dialog:modal") !== null) return;
  const target = event.target instanceof Element ? event.target : null;
  const typing =
    target?.closest("input, textarea, select, [contenteditable]:not([contenteditable=false])") != null;
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  const before = first !== undefined && event.timeStamp - first.at < SEQUENCE ? first.key : undefined;
  first = undefined;
  for (const command of [...commands].reverse()) {
    if (command.told === true) continue;
    if (typing && !modified && command.whileTyping !== true) continue;
    for (const keys of command.keys ?? []) {
      const [head = "", tail] = keys.split(" ");
      const hit = tail === undefined ? matches(head, event) : before === head && matches(tail, event);
      if (hit) {
        if (command.run() !== false) event.preventDefault();
        return;
      }
    }
  }
  if (!typing && !modified && event.key.length === 1)
    first = { key: event.key.toLowerCase(), at: event.timeStamp };
}
