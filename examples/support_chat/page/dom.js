// Making elements: text goes in as text, never as HTML.

/** An element with properties (or attributes, where there is no such property) and children; empty ones are left out. */
export function make(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else if (value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child || child === 0));
  return node;
}

/** Let `parent` have these children, given as [key, what it shows, how it is drawn]. What shows the same stays where it
 * is, with its focus; what is drawn anew gets the focus back on the same button (`data-do`). */
export function keep(parent, items) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const { activeElement } = document;
  const held = parent.contains(activeElement) && [activeElement.closest("[data-key]")?.dataset.key, activeElement.dataset.do];
  const nodes = items.map(([key, shown, draw]) => {
    const state = JSON.stringify(shown);
    const there = old.get(String(key));
    if (there?.state === state) return there;
    const node = Object.assign(draw(), { state });
    node.dataset.key = key;
    return node;
  });
  const stay = new Set(nodes);
  for (const node of old.values()) if (!stay.has(node)) node.remove();
  nodes.forEach((node, at) => parent.children[at] !== node && parent.insertBefore(node, parent.children[at] ?? null));
  if (!held || document.activeElement === activeElement) return;
  const again = nodes.find((node) => node.dataset.key === held[0]);
  (held[1] ? again?.querySelector(`[data-do="${CSS.escape(held[1])}"]`) : again)?.focus();
}

export const find = (selector) => document.querySelector(selector);

/** A round picture: initials, in a colour of the user's own. */
export function avatar(id, name, there) {
  const hue = [...(id ?? "")].reduce((sum, each) => (sum * 31 + each.codePointAt(0)) % 360, 7);
  const initials = name.split(/\s+/).slice(0, 2).map((word) => [...word][0]).join("").toUpperCase();
  const picture = make("span", { className: "avatar", ariaHidden: "true" }, initials);
  picture.style.setProperty("--hue", hue);
  if (there) picture.dataset.there = there;
  return picture;
}

/** Text with its marks, which count code points. */
export function marked(text, marks = []) {
  const points = [...text];
  let at = 0;
  const pieces = marks.flatMap(({ start, end }) => {
    const before = points.slice(at, start).join("");
    at = end;
    return [before, make("mark", {}, points.slice(start, end).join(""))];
  });
  return [...pieces, points.slice(at).join("")];
}

const DAY = 86_400_000;
export function time(seconds) {
  const date = new Date(seconds * 1000);
  const style = Date.now() - date < DAY ? { timeStyle: "short" } : { dateStyle: "medium" };
  return make("time", { dateTime: date.toISOString(), title: date.toLocaleString() }, date.toLocaleString([], style));
}
