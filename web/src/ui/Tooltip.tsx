import { useEffect, useRef, useState } from "react";
import { direction } from "../i18n/index.ts";
import { Kbd } from "./Badge.tsx";
import { place } from "./place.ts";
import styles from "./Tooltip.module.css";

/** Props that give an element a tooltip: `<span {...tip("Read by 3")}>`. It is not read out: label the element. */
export const tip = (text: string, keys?: string) =>
  keys === undefined ? { "data-tip": text } : { "data-tip": text, "data-keys": keys };

const DELAY = 450; // milliseconds over it, before it shows

/** The one tooltip of the app: for whatever has `data-tip` and is pointed at, or focused by keyboard. */
export function Tooltips() {
  const [shown, setShown] = useState<{ anchor: Element; text: string; keys: string | undefined } | null>(
    null,
  );
  const self = useRef<HTMLDivElement>(null);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const hide = () => {
      clearTimeout(timer);
      setShown(null);
    };
    const show = (anchor: Element, after: number) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const text = anchor.getAttribute("data-tip");
        if (text !== null && anchor.isConnected) {
          setShown({ anchor, text, keys: anchor.getAttribute("data-keys") ?? undefined });
        }
      }, after);
    };
    const over = (event: PointerEvent) => {
      if (event.pointerType === "touch") return;
      const anchor = (event.target as Element).closest?.("[data-tip]");
      if (anchor == null) hide();
      else show(anchor, DELAY);
    };
    const focus = (event: FocusEvent) => {
      const anchor = event.target as Element;
      if (anchor.matches("[data-tip]:focus-visible")) show(anchor, DELAY);
    };
    const key = (event: KeyboardEvent) => event.key !== "Shift" && hide();
    document.addEventListener("pointerover", over);
    document.addEventListener("focusin", focus);
    document.addEventListener("focusout", hide);
    document.addEventListener("pointerdown", hide, true);
    document.addEventListener("keydown", key, true);
    document.addEventListener("scroll", hide, true);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("pointerover", over);
      document.removeEventListener("focusin", focus);
      document.removeEventListener("focusout", hide);
      document.removeEventListener("pointerdown", hide, true);
      document.removeEventListener("keydown", key, true);
      document.removeEventListener("scroll", hide, true);
    };
  }, []);

  useEffect(() => {
    const element = self.current;
    if (element === null || shown === null) return;
    element.showPopover();
    const size = { width: element.offsetWidth, height: element.offsetHeight };
    const window = { width: innerWidth, height: innerHeight };
    const { left, top } = place(
      shown.anchor.getBoundingClientRect(),
      size,
      window,
      "above",
      direction() === "rtl",
    );
    element.style.left = `${left}px`;
    element.style.top = `${top}px`;
  }, [shown]);

  if (shown === null) return null;
  return (
    <div ref={self} popover="manual" className={styles.tooltip} aria-hidden="true">
      {shown.text}
      {shown.keys !== undefined && <Kbd keys={shown.keys} />}
    </div>
  );
}
