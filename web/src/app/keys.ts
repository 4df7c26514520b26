/** Names of keys: what matches an event, and how they are shown. */

export const MAC = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);

interface Pressed {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey: boolean;
}

/** Whether the event is `Mod+Shift+K` or the like. Signs such as `?` match whatever Shift they need. */
export function matches(keys: string, event: Pressed, mac: boolean = MAC): boolean {
  const parts = keys.split("+");
  const key = parts.pop() ?? "";
  const has = (name: string) => parts.includes(name);
  if (event.key.toLowerCase() !== key.toLowerCase()) return false;
  if ((mac ? event.metaKey : event.ctrlKey) !== has("Mod")) return false;
  if ((mac ? event.ctrlKey : event.metaKey) !== has("Control")) return false;
  if (event.altKey !== has("Alt")) return false;
  const sign = key.length === 1 && key.toLowerCase() === key.toUpperCase();
  return sign || event.shiftKey === has("Shift");
}

const NAMES: Readonly<Record<string, string>> = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  Escape: "Esc",
  Enter: "Enter",
  " ": "Space",
};

/** The keys one by one, as they are to be shown: `["Ctrl", "K"]`. */
export function labels(keys: string, mac: boolean = MAC): readonly string[] {
  return keys.split(" ").flatMap((step) =>
    step.split("+").map((part) => {
      if (part === "Mod") return mac ? "⌘" : "Ctrl";
      if (part === "Alt") return mac ? "⌥" : "Alt";
      if (part === "Shift") return mac ? "⇧" : "Shift";
      return NAMES[part] ?? (part.length === 1 ? part.toUpperCase() : part);
    }),
  );
}
