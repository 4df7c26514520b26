/** Where one is in the app, as the part of the address behind `#`. Pure: text to Route and back. */

/** What is open beside a conversation. */
export type Pane =
  | { readonly kind: "thread"; readonly root: number; readonly message?: number }
  | { readonly kind: "details" | "members" | "pins" | "files" | "settings" | "search" }
  | { readonly kind: "user"; readonly user: string };

export type Route =
  | { readonly view: "home" }
  | {
      readonly view: "conversation";
      readonly conversation: string;
      /** The seq of a message to jump to. */
      readonly message?: number;
      readonly pane?: Pane;
    }
  | { readonly view: "search"; readonly query: string }
  | { readonly view: "threads" | "bookmarks" | "scheduled" | "reminders" }
  | { readonly view: "discover" }
  | { readonly view: "moderation"; readonly rest: string }
  | { readonly view: "settings"; readonly section: string }
  | { readonly view: "developer"; readonly rest: string };

const PANES = ["details", "members", "pins", "files", "settings", "search"] as const;
const PLAIN = ["threads", "bookmarks", "scheduled", "reminders", "discover"] as const;

/** What an address means; anything unknown is home. `hash` begins with `#` or not. */
export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const parts = path.split("/").map(decode);
  const [first = "", second = ""] = parts;
  if (first === "c" && second !== "") return conversation(second, parts.slice(2));
  if (first === "search") return { view: "search", query: new URLSearchParams(query).get("q") ?? "" };
  if (first === "moderation" || first === "developer") return { view: first, rest: parts.slice(1).join("/") };
  if (first === "settings") return { view: "settings", section: second };
  const plain = PLAIN.find((each) => each === first);
  return plain === undefined ? { view: "home" } : { view: plain };
}

function conversation(id: string, rest: readonly string[]): Route {
  const [kind = "", value = "", more = "", last = ""] = rest;
  const number = seq(value);
  if (kind === "m" && number !== undefined)
    return { view: "conversation", conversation: id, message: number };
  if (kind === "t" && number !== undefined) {
    const message = more === "m" ? seq(last) : undefined;
    const pane: Pane = { kind: "thread", root: number, ...(message === undefined ? {} : { message }) };
    return { view: "conversation", conversation: id, pane };
  }
  if (kind === "u" && value !== "")
    return { view: "conversation", conversation: id, pane: { kind: "user", user: value } };
  const pane = PANES.find((each) => each === kind);
  return { view: "conversation", conversation: id, ...(pane === undefined ? {} : { pane: { kind: pane } }) };
}

/** The address of a route, with its `#`. `parse(href(route))` is the route again. */
export function href(route: Route): string {
  switch (route.view) {
    case "home":
      return "#/";
    case "conversation": {
      const start = `#/c/${encodeURIComponent(route.conversation)}`;
      const { pane } = route;
      if (pane === undefined) return route.message === undefined ? start : `${start}/m/${route.message}`;
      if (pane.kind === "thread") {
        return `${start}/t/${pane.root}${pane.message === undefined ? "" : `/m/${pane.message}`}`;
      }
      return pane.kind === "user" ? `${start}/u/${encodeURIComponent(pane.user)}` : `${start}/${pane.kind}`;
    }
    case "search":
      return `#/search${route.query === "" ? "" : `?${new URLSearchParams({ q: route.query })}`}`;
    case "moderation":
    case "developer":
      return `#/${route.view}${route.rest === "" ? "" : `/${route.rest}`}`;
    case "settings":
      return `#/settings${route.section === "" ? "" : `/${route.section}`}`;
    default:
      return `#/${route.view}`;
  }
}

function seq(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a lone % is not ours
  }
}
