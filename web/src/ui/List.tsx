import { useVirtualizer } from "@tanstack/react-virtual";
import {
  type FocusEvent,
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { flushSync } from "react-dom";
import styles from "./List.module.css";

/** To be spread on the one focusable element of a row: only one row of a list is reached by Tab, arrows do the rest. */
export interface RowProps {
  readonly tabIndex: 0 | -1;
  readonly "data-row": number;
}

export interface ListProps<T> {
  items: readonly T[];
  /** Of an item: unique, and the same as long as it is the same thing. */
  keyOf(item: T): string;
  /** Read out. */
  label: string;
  /** Height of a row in px; measured when it is shown. */
  height(item: T): number;
  /** Whether arrows stop there (usual: yes); headings are passed. */
  stops?(item: T): boolean;
  /** Which row Tab goes to, and which is scrolled into sight when it changes. */
  selected?: string | undefined;
  children(item: T, row: RowProps): ReactNode;
  onKeyDown?(event: KeyboardEvent, item: T | undefined): void;
  /** The id of the list, to move the focus there. */
  id?: string;
}

const MOVES: Readonly<Record<string, readonly ["here" | "start" | "end", 1 | -1]>> = {
  ArrowDown: ["here", 1],
  j: ["here", 1],
  ArrowUp: ["here", -1],
  k: ["here", -1],
  Home: ["start", 1],
  End: ["end", -1],
};

/** A list that may be long: only what is seen is rendered. Up, down, j, k, Home and End move the focus. */
export function List<T>(props: ListProps<T>) {
  const { items, keyOf, stops = () => true, selected } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [focused, setFocused] = useState<string | null>(null);
  const places = useMemo(() => new Map(items.map((item, at) => [keyOf(item), at])), [items, keyOf]);
  const place = (key: string | null | undefined) => (key == null ? undefined : places.get(key));
  const reached = place(focused) ?? place(selected) ?? items.findIndex(stops);

  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: (at) => {
      const item = items[at];
      return item === undefined ? 0 : props.height(item);
    },
    getItemKey: (at) => {
      const item = items[at];
      return item === undefined ? at : keyOf(item);
    },
    overscan: 8,
    rangeExtractor: ({ startIndex, endIndex, overscan, count }) => {
      const from = Math.max(0, startIndex - overscan);
      const to = Math.min(count - 1, endIndex + overscan);
      const seen = Array.from({ length: to - from + 1 }, (_, at) => from + at);
      // What has the focus stays, wherever one scrolls.
      return reached < 0 || (reached >= from && reached <= to)
        ? seen
        : [...seen, reached].sort((a, b) => a - b);
    },
  });

  const selectedAt = place(selected);
  const steered = useRef<string | undefined>(undefined); // the selected one, when somebody scrolled away from it
  // biome-ignore lint/correctness/useExhaustiveDependencies: as the list fills, the selected one moves; it stays in sight
  useEffect(() => {
    if (selectedAt !== undefined && steered.current !== selected)
      rows.scrollToIndex(selectedAt, { align: "auto" });
  }, [selected, selectedAt]);
  const steer = () => {
    steered.current = selected;
  };

  function focusRow(at: number): void {
    const item = items[at];
    if (item === undefined) return;
    rows.scrollToIndex(at, { align: "auto" });
    flushSync(() => setFocused(keyOf(item))); // the row is there now: a quick second key finds it focused
    scroller.current?.querySelector<HTMLElement>(`[data-row="${at}"]`)?.focus({ preventScroll: true });
  }

  function next(from: number, step: 1 | -1): number | undefined {
    for (let at = from + step; at >= 0 && at < items.length; at += step) {
      const item = items[at];
      if (item !== undefined && stops(item)) return at;
    }
    return undefined;
  }

  function keyDown(event: KeyboardEvent): void {
    const row = (event.target as Element).closest("[data-row]")?.getAttribute("data-row");
    const at = row == null ? reached : Number(row);
    props.onKeyDown?.(event, items[at]);
    steer();
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const [from, step] = MOVES[event.key] ?? [];
    if (from === undefined || step === undefined) return;
    const to = next(from === "here" ? at : from === "start" ? -1 : items.length, step);
    if (to === undefined) return;
    event.preventDefault();
    focusRow(to);
  }

  function focus(event: FocusEvent): void {
    const row = event.target.closest("[data-row]")?.getAttribute("data-row");
    const item = row == null ? undefined : items[Number(row)];
    if (item !== undefined) setFocused(keyOf(item));
  }

  return (
    <div ref={scroller} className={styles.scroller} onWheel={steer} onPointerDown={steer} onTouchMove={steer}>
      <ul
        id={props.id}
        aria-label={props.label}
        className={styles.list}
        style={{ blockSize: rows.getTotalSize() }}
        onKeyDown={keyDown}
        onFocus={focus}
        onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && setFocused(null)}
      >
        {rows.getVirtualItems().map(({ index, key, start }) => {
          const item = items[index];
          return item === undefined ? null : (
            <li
              key={key}
              ref={rows.measureElement}
              data-index={index}
              className={styles.row}
              style={{ transform: `translateY(${start}px)` }}
            >
              {props.children(item, { tabIndex: index === reached ? 0 : -1, "data-row": index })}
            </li>
          );
        })}
      </ul>
    </div>
  );
}
