/** What the messages ask of the composer beside them, and it of them. */

export type Wish =
  | { readonly kind: "reply"; readonly message: number }
  | { readonly kind: "files"; readonly files: readonly File[] }
  | { readonly kind: "write"; readonly text?: string }
  | { readonly kind: "editLast" }
  | { readonly kind: "sent" };

type Listener = (wish: Wish) => void;

const listeners = new Map<string, Set<Listener>>();

/** Where one writes: a conversation, or one of its threads. */
export const placeOf = (conversation: string, thread: number | undefined): string =>
  `${conversation}/${thread ?? ""}`;

/** Ask whoever is there. */
export function wish(place: string, what: Wish): void {
  for (const listener of [...(listeners.get(place) ?? [])]) listener(what);
}

export function onWish(place: string, listener: Listener): () => void {
  const all = listeners.get(place) ?? new Set();
  listeners.set(place, all);
  all.add(listener);
  return () => {
    all.delete(listener);
    if (all.size === 0) listeners.delete(place);
  };
}
