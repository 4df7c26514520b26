/** What is read out, and not seen: "3 new messages in Design". The regions are in `LiveRegions`. */

let current = { polite: "", assertive: "" };
const listeners = new Set<() => void>();

export const announced = (): Readonly<typeof current> => current;

export function onAnnounced(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Have `text` read out when there is a pause, or at once if it is urgent. The same text again is read again. */
export function announce(text: string, urgent = false): void {
  const where = urgent ? "assertive" : "polite";
  // A change is what is read: a no-break space makes one of what is the same.
  current = { ...current, [where]: current[where] === text ? `${text}\u00a0` : text };
  for (const listener of [...listeners]) listener();
}
