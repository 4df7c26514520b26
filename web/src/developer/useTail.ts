import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

const NEAR = 24; // px from the end that still count as there

export interface Tail<E extends HTMLElement> {
  readonly ref: RefObject<E | null>;
  /** The last that was seen: what is after it came while somebody had scrolled up. */
  readonly seen: number;
  toEnd(): void;
}

/** Keeps a list that scrolls at its end while it grows, until somebody scrolls up to read. `last` grows with it. */
export function useTail<E extends HTMLElement>(last: number): Tail<E> {
  const ref = useRef<E>(null);
  const follows = useRef(true);
  const [seen, setSeen] = useState(last);
  const latest = useRef(last);

  const toEnd = useCallback(() => {
    const scroller = ref.current;
    follows.current = true;
    if (scroller !== null) scroller.scrollTop = scroller.scrollHeight;
  }, []);

  useLayoutEffect(() => {
    latest.current = last;
    if (!follows.current) return;
    toEnd();
    setSeen(last);
  }, [last, toEnd]);

  useEffect(() => {
    const scroller = ref.current;
    if (scroller === null) return;
    let height = scroller.clientHeight;
    const scrolled = () => {
      if (scroller.clientHeight !== height) return; // not a person: it was resized
      follows.current = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
      if (follows.current) setSeen(latest.current);
    };
    const resized = new ResizeObserver(() => {
      height = scroller.clientHeight;
      if (follows.current) scroller.scrollTop = scroller.scrollHeight;
    });
    scroller.addEventListener("scroll", scrolled, { passive: true });
    resized.observe(scroller);
    return () => {
      scroller.removeEventListener("scroll", scrolled);
      resized.disconnect();
    };
  }, []);

  return { ref, seen, toEnd };
}
