/** Short news at the bottom of the window, that go away by themselves. */

export interface ToastOptions {
  readonly tone?: "neutral" | "success" | "danger";
  /** One thing to do about it: undo, retry. */
  readonly action?: { readonly label: string; run(): void };
  /** Milliseconds it stays (usual: 5000, with an action 8000); 0: until it is dismissed. */
  readonly stay?: number;
}

export interface Toast extends ToastOptions {
  readonly id: number;
  readonly text: string;
}

const AT_MOST = 4;
let next = 1;
let current: readonly Toast[] = [];
const listeners = new Set<() => void>();

export const toasts = (): readonly Toast[] => current;

export function onToasts(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function put(changed: readonly Toast[]): void {
  current = changed;
  for (const listener of [...listeners]) listener();
}

/** Say something. The same text again takes the place of the one that is shown. */
export function toast(text: string, options: ToastOptions = {}): number {
  const id = next++;
  put([...current.filter((each) => each.text !== text), { ...options, id, text }].slice(-AT_MOST));
  return id;
}

/** Say that something could not be done: the message of the error, which the server has written to be read. */
export function toastError(error: unknown): number {
  return toast(error instanceof Error ? error.message : String(error), { tone: "danger" });
}

export function dismiss(id: number): void {
  put(current.filter((each) => each.id !== id));
}
