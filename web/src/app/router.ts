/** The address bar as a value. Links are plain `<a href={href(route)}>`; `go` is for what is no link. */

import { useSyncExternalStore } from "react";
import { href, parse, type Route } from "./routes.ts";

let hash = location.hash;
let route: Route = parse(hash);

function read(): Route {
  if (location.hash !== hash) {
    hash = location.hash;
    route = parse(hash);
  }
  return route;
}

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}

/** Where one is; the same object until the address changes. */
export const useRoute = (): Route => useSyncExternalStore(subscribe, read, read);

export const currentRoute = (): Route => read();

/** Go there. With `replace` the way back skips where one was. */
export function go(to: Route, options: { replace?: boolean } = {}): void {
  const target = href(to);
  if (target === location.hash) return;
  if (options.replace === true) {
    history.replaceState(null, "", target);
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = target;
  }
}

/** Close what is beside the conversation. */
export function closePane(): void {
  const at = read();
  if (at.view === "conversation") go({ view: "conversation", conversation: at.conversation });
}
