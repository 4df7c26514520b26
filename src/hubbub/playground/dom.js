// The few things the page needs to build its elements. Text goes in as text, never as markup.

/** An element with a class and children; strings become text nodes. */
export function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

/** `at` in Unix milliseconds as 14:05:09, in a <time>; with `precise`, to the millisecond. */
export function timeElement(at, { precise = false } = {}) {
  const date = new Date(at);
  const made = element("time", "", clock.format(date));
  if (precise) made.append("." + String(date.getMilliseconds()).padStart(3, "0"));
  made.dateTime = date.toISOString();
  return made;
}

export function plural(count, one, many = one + "s") {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** A number of 0 to 5 that stays the same for a name: which colour it gets. */
export function hue(name) {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  return sum % 6;
}

export function initial(name) {
  const [first = "?"] = name.trim();
  return first.toUpperCase();
}
