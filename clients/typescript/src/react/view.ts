import { useInsertionEffect, useLayoutEffect, useRef, useSyncExternalStore } from "react";
import type { View } from "../core/view.js";

/**
 * What a View holds now; the component renders again when that changes.
 *
 * On the server, and while a page takes over what the server has rendered, it is what `initial` gives: what the View
 * holds before anything has happened, if that is not what it holds now. Both must be alike, or React complains.
 */
export function useView<T>(view: View<T>, initial: () => T = view.get): T {
  return useSyncExternalStore(view.subscribe, view.get, initial);
}

const NEVER = () => () => undefined;

export const nothing = (): undefined => undefined;
/** The View of what is not there. */
export const ABSENT: View<undefined> = { get: nothing, subscribe: NEVER };

/** A View that never changes. */
export function constant<T>(value: T): View<T> {
  return { get: () => value, subscribe: NEVER };
}

/** The newest `value`, for what is called later: it is written when the render that brought it is committed. */
export function useLatest<T>(value: T): { readonly current: T } {
  const latest = useRef(value);
  useInsertionEffect(() => {
    latest.current = value;
  });
  return latest;
}

/** Before the browser paints, where there is one: on the server no effect runs, and React 18 would complain. */
export const useBeforePaint = typeof document === "undefined" ? useInsertionEffect : useLayoutEffect;
