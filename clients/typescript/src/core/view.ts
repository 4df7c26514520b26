/**
 * A value that can be read now and followed.
 *
 * `get` gives the same object until something changed: values are frozen snapshots, and what did not change in them
 * are the same objects. Listeners are told once for each batch of changes, in a microtask. Both are bound, so that
 * `useSyncExternalStore(view.subscribe, view.get)` just works.
 */
export interface View<T> {
  readonly get: () => T;
  readonly subscribe: (listener: () => void) => () => void;
}

type Listener = () => void;

/** Where errors of listeners go: the console or whatever the host reports uncaught errors to. Never thrown here. */
export function reportError(error: unknown): void {
  const host = globalThis as { reportError?: (error: unknown) => void };
  if (host.reportError) host.reportError(error);
  else console.error(error);
}

/** Call all of `listeners`, though some may throw; one that another one has removed meanwhile is left out. */
export function tell<A extends unknown[]>(listeners: ReadonlySet<(...args: A) => void>, ...args: A): void {
  for (const listener of [...listeners]) {
    if (!listeners.has(listener)) continue;
    try {
      listener(...args);
    } catch (error) {
      reportError(error);
    }
  }
}

/** A View that is set. An equal value (`Object.is`) changes nothing and tells nobody. */
export class Cell<T> implements View<T> {
  #value: T;
  #pending = false;
  readonly #listeners = new Set<Listener>();

  constructor(value: T) {
    this.#value = value;
  }

  readonly get = (): T => this.#value;

  readonly subscribe = (listener: Listener): (() => void) => {
    const own = () => listener(); // a listener given twice is two subscriptions
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  };

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    if (this.#pending) return;
    this.#pending = true;
    queueMicrotask(() => {
      this.#pending = false;
      tell(this.#listeners);
    });
  }

  update(fn: (value: T) => T): void {
    this.set(fn(this.#value));
  }
}

type Values<V extends readonly View<unknown>[]> = { [K in keyof V]: V[K] extends View<infer T> ? T : never };

/**
 * A View computed from others. It is computed when it is read, and only if one of them changed; it follows them only
 * while somebody follows it. `equal` (`Object.is`) says when a new value is no change: then the old one stays.
 */
export function derived<const V extends readonly View<unknown>[], T>(
  views: V,
  fn: (...values: Values<V>) => T,
  equal: (a: T, b: T) => boolean = Object.is,
): View<T> {
  let inputs: unknown[] | undefined;
  let value: T;
  const get = (): T => {
    const next = views.map((view) => view.get());
    if (inputs === undefined || next.some((each, at) => !Object.is(each, inputs?.[at]))) {
      const computed = fn(...(next as Values<V>));
      if (inputs === undefined || !equal(value, computed)) value = computed;
      inputs = next;
    }
    return value;
  };

  const listeners = new Set<Listener>();
  let leave: (() => void)[] = [];
  let told: T;
  let pending = false;
  let must = false; // somebody came after a change that is still to be told, and has seen it
  const changed = (): void => {
    if (pending) return;
    pending = true;
    queueMicrotask(() => {
      const now = get();
      const news = must || !Object.is(now, told);
      pending = must = false;
      told = now;
      if (news) tell(listeners);
    });
  };
  const subscribe = (listener: Listener): (() => void) => {
    const own = () => listener();
    if (listeners.size === 0) {
      told = get();
      leave = views.map((view) => view.subscribe(changed));
    } else if (pending) {
      must = true;
    }
    listeners.add(own);
    return () => {
      if (!listeners.delete(own) || listeners.size > 0) return;
      for (const each of leave) each();
      leave = [];
    };
  };
  return { get, subscribe };
}
