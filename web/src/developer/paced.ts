import { Cell, type View } from "hubbub";

const PACE = 40; // milliseconds

/** A View of what may change a thousand times a second: it is shown 25 times. */
export class Paced<T> implements View<T> {
  readonly #shown: Cell<T>;
  #latest: T;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(value: T) {
    this.#latest = value;
    this.#shown = new Cell(value);
  }

  readonly get = (): T => this.#shown.get();
  readonly subscribe = (listener: () => void): (() => void) => this.#shown.subscribe(listener);

  /** What it will show. */
  get latest(): T {
    return this.#latest;
  }

  set(value: T): void {
    this.#latest = value;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#shown.set(this.#latest);
    }, PACE);
  }

  change(changes: Partial<T>): void {
    this.set({ ...this.#latest, ...changes });
  }
}

/** `items` with `more` behind, of which the last `kept` are left. */
export const appended = <T>(items: readonly T[], more: readonly T[], kept: number): readonly T[] =>
  [...items, ...more].slice(-kept);
