import { useVirtualizer } from "@tanstack/react-virtual";
import type { Messages } from "hubbub/react";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { idle } from "../app/idle.ts";
import { toast } from "../ui/index.ts";
import { heightOf, type Row } from "./rows.ts";

/** Rows from an end at which the next page is read. */
const NEAR = 15;
/** Rows that are rendered before and after those that are seen. */
const OVERSCAN = 6;
/** Pixels from the end that still count as being there, and from where on there is a way back. */
const AT_END = 60;
const FAR = 240;
/** Milliseconds for which the one that one has jumped to is pointed out, and after which reading is tried again. */
const POINTED = 2400;
const AGAIN = 2000;

/** Pixels from the end that one begins at the end for, and the milliseconds in which rows are measured. */
const NEAR_END = 200;
const SETTLE = 60;

/**
 * Where one is in a list of messages: at first at what is new or at the end, and there as long as one does not go away;
 * what is added or grows above does not move what one sees.
 */
export function useScroll(window: Messages, rows: readonly Row[], kept: number, notFound: string) {
  const scroller = useRef<HTMLDivElement>(null);
  const [pointed, setPointed] = useState<string | null>(null);
  const [refused, setRefused] = useState(false);
  // Where to go once its row is there.
  const goal = useRef<{ seq: number; align: "center" | "start"; point: boolean } | "end" | undefined>(
    undefined,
  );
  const settled = useRef(false);
  const latest = useRef(0);

  const some = rows.length > 0;
  // What is not seen is rendered after what is.
  const [calm, setCalm] = useState(false);
  useEffect(() => {
    if (!some) return;
    let gone = false;
    void idle().then(() => gone || setCalm(true));
    return () => {
      gone = true;
    };
  }, [some]);
  const list = useVirtualizer({
    count: rows.length,
    enabled: some,
    getScrollElement: () => scroller.current,
    estimateSize: (at) => heightOf(rows[at]),
    // The first rows that are rendered are those that are shown: what is new, or the end.
    initialOffset: () => rows.slice(0, firstFresh(rows)).reduce((sum, row) => sum + heightOf(row), 0),
    getItemKey: (at) => rows[at]?.key ?? at,
    overscan: calm ? OVERSCAN : 1,
    anchorTo: "end",
    followOnAppend: window.atEnd,
    scrollEndThreshold: AT_END,
    paddingStart: 16,
    paddingEnd: 8,
    useAnimationFrameWithResizeObserver: false,
    rangeExtractor: ({ startIndex, endIndex, overscan, count }) => {
      const from = Math.max(0, startIndex - overscan);
      const to = Math.min(count - 1, endIndex + overscan);
      const seen = Array.from({ length: to - from + 1 }, (_, at) => from + at);
      // What has the focus stays, wherever one scrolls.
      return kept < 0 || kept >= count || (kept >= from && kept <= to)
        ? seen
        : [...seen, kept].sort((a, b) => a - b);
    },
  });

  useLayoutEffect(() => {
    if (!some) return;
    if (!settled.current && goal.current === undefined) {
      const fresh = firstFresh(rows);
      settled.current = true;
      if (fresh < rows.length) {
        list.scrollToIndex(fresh, { align: "start" });
        // Where that is the end or nearly so, it is the end: once the rows are measured.
        setTimeout(() => list.getDistanceFromEnd() < NEAR_END && list.scrollToEnd(), SETTLE);
      } else {
        list.scrollToEnd();
      }
      return;
    }
    const wanted = goal.current;
    if (wanted === undefined) return;
    if (wanted === "end") {
      if (!window.atEnd) return;
      goal.current = undefined;
      settled.current = true;
      list.scrollToEnd();
      return;
    }
    const at = rows.findIndex((row) => row.item.message.seq >= wanted.seq);
    const row = rows[at];
    if (row === undefined || (wanted.point && row.item.message.seq !== wanted.seq)) return;
    goal.current = undefined;
    settled.current = true;
    list.scrollToIndex(at, { align: wanted.align });
    if (wanted.point) setPointed(row.key);
  });

  useEffect(() => {
    if (pointed === null) return;
    const timer = setTimeout(() => setPointed(null), POINTED);
    return () => clearTimeout(timer);
  }, [pointed]);

  const { jumpTo: readAround, toEnd: readEnd } = window;
  const [, redraw] = useState(0);
  const jumpTo = useCallback(
    (seq: number, point = true) => {
      const mine = ++latest.current;
      goal.current = { seq, align: point ? "center" : "start", point };
      setPointed(null);
      readAround(seq).then(
        () => {
          if (mine !== latest.current) return;
          redraw((count) => count + 1);
          // It is read by now: what is not there is not to be found.
          setTimeout(() => {
            const open = goal.current;
            if (open === undefined || mine !== latest.current) return;
            goal.current = undefined;
            if (point) toast(notFound);
          }, 300);
        },
        () => {
          if (mine !== latest.current) return;
          goal.current = undefined;
          if (point) toast(notFound);
        },
      );
    },
    [readAround, notFound],
  );
  const toEnd = useCallback(() => {
    latest.current += 1;
    goal.current = "end";
    readEnd().then(
      () => redraw((count) => count + 1),
      () => {
        goal.current = undefined;
      },
    );
  }, [readEnd]);

  const range = list.range;
  const { atStart, atEnd, loading, loadBefore, loadAfter } = window;
  const first = range?.startIndex ?? 0;
  const last = range?.endIndex ?? 0;
  useEffect(() => {
    if (!some || !settled.current || loading !== undefined || refused) return;
    const failed = () => {
      setRefused(true);
      setTimeout(() => setRefused(false), AGAIN);
    };
    if (first < NEAR && !atStart) loadBefore().catch(failed);
    else if (last > rows.length - NEAR && !atEnd) loadAfter().catch(failed);
  }, [some, first, last, rows.length, atStart, atEnd, loading, refused, loadBefore, loadAfter]);

  // What is seen is read.
  const seq = rows[Math.min(last, rows.length - 1)]?.item.message.seq ?? 0;
  const most = useRef(0);
  if (settled.current) most.current = Math.max(most.current, seq);
  const { visible } = window;
  useEffect(() => {
    if (seq > 0 && settled.current) visible(seq);
  }, [seq, visible]);

  // As the list has it: to ask the element would have everything laid out, in each frame.
  const below = list.getTotalSize() - (list.scrollOffset ?? 0) - (list.scrollRect?.height ?? 0);

  // Who is at the end stays there when the room for messages changes: a keyboard comes, what one writes grows.
  const height = list.scrollRect?.height;
  const known = useRef(height);
  const ended = useRef(false);
  useLayoutEffect(() => {
    if (known.current === height) ended.current = settled.current && atEnd && below <= AT_END;
  });
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => {
      known.current = element.clientHeight;
      if (ended.current) list.scrollToEnd();
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [list]);
  const away = some && (!atEnd || (list.scrollRect !== null && below > FAR));
  return { scroller, list, pointed, jumpTo, toEnd, away, seen: most.current, first };
}

/** Where what is new begins, if that is not all; else behind the last. */
function firstFresh(rows: readonly Row[]): number {
  const at = rows.findIndex((row) => row.fresh);
  return at > 0 ? at : rows.length;
}
