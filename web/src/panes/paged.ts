import { useCallback, useEffect, useRef, useState } from "react";

export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string | undefined;
}

export interface Paged<T> {
  /** undefined until the first page is there. */
  readonly items: readonly T[] | undefined;
  readonly more: boolean;
  readonly busy: boolean;
  /** What went wrong with the last page; `again` asks for it anew. */
  readonly error: string | undefined;
  loadMore(): void;
  /** Read from the start; what is shown stays until the answer is there. */
  again(): void;
  /** Change what is shown, where one knows what the server has done. */
  change(how: (items: readonly T[]) => readonly T[]): void;
}

interface State<T> {
  readonly of: string;
  readonly items?: readonly T[];
  readonly next?: string | undefined;
  readonly busy: boolean;
  readonly error?: string;
}

/** A list that the server gives in pages. Another `key` is another list; null asks for nothing. */
export function usePaged<T>(
  key: string | null,
  ask: (cursor: string | undefined) => Promise<Page<T>>,
): Paged<T> {
  const asker = useRef(ask);
  asker.current = ask;
  const turn = useRef(0);
  const [state, setState] = useState<State<T>>({ of: "", busy: false });

  const load = useCallback((of: string, cursor: string | undefined) => {
    const mine = ++turn.current;
    setState((before) => (before.of === of ? { ...before, busy: true } : { of, busy: true }));
    asker.current(cursor).then(
      ({ items, next }) => {
        if (mine !== turn.current) return;
        setState((before) => ({
          of,
          items: cursor === undefined ? items : [...(before.items ?? []), ...items],
          next,
          busy: false,
        }));
      },
      (error: unknown) => {
        if (mine !== turn.current) return;
        const said = error instanceof Error ? error.message : String(error);
        setState(({ error: _, ...before }) => ({ ...before, busy: false, error: said }));
      },
    );
  }, []);

  useEffect(() => {
    if (key !== null) load(key, undefined);
    return () => {
      turn.current += 1;
    };
  }, [key, load]);

  const current: State<T> = state.of === key ? state : { of: "", busy: key !== null };
  const { items, next, busy, error } = current;
  return {
    items,
    busy,
    error,
    more: next !== undefined,
    loadMore: () => key !== null && next !== undefined && !busy && load(key, next),
    again: useCallback(() => key !== null && load(key, undefined), [key, load]),
    change: useCallback(
      (how) => setState((before) => (before.items ? { ...before, items: how(before.items) } : before)),
      [],
    ),
  };
}
