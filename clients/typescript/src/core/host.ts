/** What the host, a browser's page mostly, tells of network and visibility. Hosts that tell nothing are online. */
export interface HostListener {
  /** There may be a network again, or somebody looks again. */
  wake(): void;
  /** The host says that there is no network. */
  offline(): void;
  /** The page goes: for good, or (`back`) to be shown again as it was. */
  leave(back: boolean): void;
}

interface Host {
  readonly addEventListener?: typeof addEventListener;
  readonly removeEventListener?: typeof removeEventListener;
  readonly document?: Document;
  readonly navigator?: { readonly onLine?: boolean };
}

const host = globalThis as Host;

/** Milliseconds of a clock that nobody sets. */
export const monotonic = (): number => globalThis.performance?.now() ?? Date.now();

/** Whether the host says that there is no network. */
export const isOffline = (): boolean => host.navigator?.onLine === false;

/** Listen to the host. Call the answer to stop. */
export function watchHost(listener: HostListener): () => void {
  const { document } = host;
  const handlers: [EventTarget, string, (event: Event) => void][] = [];
  const on = (target: unknown, name: string, handler: (event: Event) => void): void => {
    const events = target as Partial<EventTarget> | undefined;
    if (!events?.addEventListener || !events.removeEventListener) return; // React Native
    events.addEventListener(name, handler);
    handlers.push([events as EventTarget, name, handler]);
  };
  const persisted = (event: Event) => (event as { persisted?: boolean }).persisted === true;
  on(host, "online", () => listener.wake());
  on(host, "offline", () => listener.offline());
  on(host, "pagehide", (event) => listener.leave(persisted(event)));
  on(host, "pageshow", (event) => persisted(event) && listener.wake());
  on(document, "visibilitychange", () => document?.visibilityState === "visible" && listener.wake());
  on(document, "resume", () => listener.wake());
  return () => {
    for (const [target, name, handler] of handlers) target.removeEventListener(name, handler);
  };
}
