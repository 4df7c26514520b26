/** What somebody can choose on a device. Pure. */

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
