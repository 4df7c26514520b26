import { type AriaRole, type ReactNode, useEffect, useLayoutEffect, useRef } from "react";
import { direction } from "../i18n/index.ts";
import { cx } from "./cx.ts";
import styles from "./Popover.module.css";
import { type Box, type Placement, place } from "./place.ts";

/** An element, or a point of the window (where somebody has clicked). */
export type Anchor = Element | { readonly x: number; readonly y: number };

export interface PopoverProps {
  /** Beside what; null is closed. */
  anchor: Anchor | null;
  onClose(): void;
  placement?: Placement;
  /** What it is, to screen readers. */
  label: string;
  role?: AriaRole;
  /** Put the focus into it at once (usual), on its first control or what has `data-autofocus`; false: leave it. */
  takeFocus?: boolean;
  padded?: boolean;
  onKeyDown?(event: KeyboardEvent): void;
  children: ReactNode;
}

/**
 * Something that floats beside an anchor, above everything, until Escape or a click elsewhere. The focus goes back to
 * where it was.
 */
export function Popover(props: PopoverProps) {
  return props.anchor === null ? null : <OpenPopover {...props} anchor={props.anchor} />;
}

function OpenPopover({
  anchor,
  takeFocus = true,
  padded = false,
  ...props
}: PopoverProps & { anchor: Anchor }) {
  const self = useRef<HTMLDivElement>(null);
  const close = useRef(props.onClose);
  close.current = props.onClose;
  const pressed = useRef(props.onKeyDown);
  pressed.current = props.onKeyDown;
  const { placement = "below-start" } = props;

  useLayoutEffect(() => {
    const element = self.current;
    if (element === null) return;
    const before = document.activeElement;
    element.showPopover();
    const update = () => {
      const size = { width: element.offsetWidth, height: element.offsetHeight };
      const window = { width: innerWidth, height: innerHeight };
      const { left, top } = place(boxOf(anchor), size, window, placement, direction() === "rtl");
      element.style.left = `${left}px`;
      element.style.top = `${top}px`;
    };
    update();
    const watcher = new ResizeObserver(update);
    watcher.observe(element);
    addEventListener("resize", update);
    if (takeFocus) focusFirst(element);
    return () => {
      watcher.disconnect();
      removeEventListener("resize", update);
      const inside = element.contains(document.activeElement) || document.activeElement === document.body;
      if (inside && before instanceof HTMLElement && before.isConnected)
        before.focus({ preventScroll: true });
    };
  }, [anchor, placement, takeFocus]);

  useEffect(() => {
    const outside = (event: Event) => {
      const target = event.target as Node;
      const own =
        self.current?.contains(target) === true || (anchor instanceof Element && anchor.contains(target));
      const above = target instanceof Element && target.closest("[popover]:popover-open") !== null; // a menu of ours
      if (!own && !above) close.current();
    };
    const key = (event: KeyboardEvent) => {
      if (event.currentTarget === self.current) pressed.current?.(event);
      if (event.key !== "Escape" || event.defaultPrevented) return;
      event.preventDefault();
      event.stopPropagation();
      close.current();
    };
    document.addEventListener("pointerdown", outside, true);
    const element = self.current;
    element?.addEventListener("keydown", key);
    if (!takeFocus) document.addEventListener("keydown", key, true);
    return () => {
      document.removeEventListener("pointerdown", outside, true);
      element?.removeEventListener("keydown", key);
      document.removeEventListener("keydown", key, true);
    };
  }, [anchor, takeFocus]);

  return (
    <div
      ref={self}
      popover="manual"
      {...{ role: props.role ?? "dialog", "aria-label": props.label }}
      tabIndex={-1}
      className={cx(styles.popover, padded && styles.padded)}
    >
      {props.children}
    </div>
  );
}

/** What can have the focus, but for what is switched off. It may not be seen: `focusFirst` tries. */
const FOCUSABLE = ["a[href]", "button", "input", "select", "textarea", "[tabindex='0']"]
  .map((each) => `${each}:not(:disabled, [aria-disabled=true], [tabindex='-1'])`)
  .join(", ");

/** Put the focus on the first of these that takes it: what has it last, `data-autofocus`, the first control, itself. */
export function focusFirst(within: HTMLElement, before?: HTMLElement): void {
  const candidates = [
    ...(before?.isConnected === true && within.contains(before) ? [before] : []),
    ...within.querySelectorAll<HTMLElement>("[data-autofocus]"),
    ...within.querySelectorAll<HTMLElement>("[data-row][tabindex='0']"),
    ...within.querySelectorAll<HTMLElement>(FOCUSABLE),
    within,
  ];
  for (const each of candidates) {
    each.focus({ preventScroll: true });
    if (document.activeElement === each) return; // what is not shown takes none
  }
}

function boxOf(anchor: Anchor): Box {
  if (anchor instanceof Element) return anchor.getBoundingClientRect();
  return { left: anchor.x, right: anchor.x, top: anchor.y, bottom: anchor.y };
}
