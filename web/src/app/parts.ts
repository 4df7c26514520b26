/** The parts of the window, between which F6 moves the focus: the list, what is open, what is beside it. */

import { focusFirst } from "../ui/Popover.tsx";

const PARTS = "[data-part]";

const shown = (): HTMLElement[] =>
  [...document.querySelectorAll<HTMLElement>(PARTS)].filter(
    (part) => part.offsetParent !== null || part.offsetWidth > 0,
  );

/** Put the focus into the next part that is seen, or the one before: where it was in it last, if that is still there. */
export function focusPart(step: 1 | -1): void {
  const parts = shown();
  const at = parts.findIndex((part) => part.contains(document.activeElement));
  const part = parts[(at + step + parts.length) % parts.length];
  if (part !== undefined) focusInto(part);
}

const last = new WeakMap<Element, WeakRef<HTMLElement>>();

/** Remember where the focus is in its part. Called at each move of it. */
export function rememberFocus(event: { target: EventTarget | null }): void {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return;
  const part = target.closest(PARTS);
  if (part !== null && part !== target) last.set(part, new WeakRef(target));
}

/** Put the focus into a part: on what had it last, on what asks for it, or on its first control. */
export function focusInto(part: HTMLElement): void {
  focusFirst(part, last.get(part)?.deref());
}
