/** Markdown by keys: what becomes of a text and what is selected in it. Pure. */

export interface Written {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Put marks around what is selected, or take them away. */
export function wrap({ text, start, end }: Written, mark: string): Written {
  const size = mark.length;
  const selected = text.slice(start, end);
  if (text.slice(start - size, start) === mark && text.slice(end, end + size) === mark) {
    return {
      text: text.slice(0, start - size) + selected + text.slice(end + size),
      start: start - size,
      end: end - size,
    };
  }
  if (selected.length >= 2 * size && selected.startsWith(mark) && selected.endsWith(mark)) {
    const inner = selected.slice(size, -size);
    return { text: text.slice(0, start) + inner + text.slice(end), start, end: start + inner.length };
  }
  return {
    text: text.slice(0, start) + mark + selected + mark + text.slice(end),
    start: start + size,
    end: end + size,
  };
}

/** Code: a line of it by one sign, several lines by a fence. */
export function code(written: Written): Written {
  const { text, start, end } = written;
  const selected = text.slice(start, end);
  if (!selected.includes("\n")) return wrap(written, "`");
  const before = start === 0 || text[start - 1] === "\n" ? "" : "\n";
  const after = text[end] === "\n" || end === text.length ? "" : "\n";
  const open = `${before}\`\`\`\n`;
  return {
    text: `${text.slice(0, start)}${open}${selected}\n\`\`\`${after}${text.slice(end)}`,
    start: start + open.length,
    end: start + open.length + selected.length,
  };
}

/** A link: what is selected is its text, or its address if it is one. What is to be written next is selected. */
export function link({ text, start, end }: Written): Written {
  const selected = text.slice(start, end);
  if (/^https?:\/\/\S+$/.test(selected)) {
    const made = `[](${selected})`;
    return { text: text.slice(0, start) + made + text.slice(end), start: start + 1, end: start + 1 };
  }
  const made = `[${selected}](https://)`;
  const at = start + selected.length + 3;
  return { text: text.slice(0, start) + made + text.slice(end), start: at, end: at + 8 };
}

/** Put a sign before each line that is selected, or take it away: `> `, `- `, `1. `. */
export function prefix({ text, start, end }: Written, sign: "> " | "- " | "1. "): Written {
  const from = text.lastIndexOf("\n", start - 1) + 1;
  const found = text.indexOf("\n", end);
  const to = found < 0 ? text.length : found;
  const lines = text.slice(from, to).split("\n");
  const has = sign === "1. " ? /^\d+\. / : sign === "- " ? /^[-*] / : /^> ?/;
  const all = lines.every((line) => has.test(line));
  const changed = lines
    .map((line, at) => (all ? line.replace(has, "") : sign === "1. " ? `${at + 1}. ${line}` : sign + line))
    .join("\n");
  return {
    text: text.slice(0, from) + changed + text.slice(to),
    start: lines.length > 1 ? from : Math.max(from, start + changed.length - (to - from)),
    end: from + changed.length - (lines.length > 1 ? 0 : to - end),
  };
}

/** A new line: in a list the next item begins, after an empty one the list ends. */
export function newLine({ text, start, end }: Written): Written {
  const from = text.lastIndexOf("\n", start - 1) + 1;
  const line = text.slice(from, start);
  const [, indent = "", sign = "", rest = ""] = /^(\s*)([-*>] |\d+\. )(.*)$/.exec(line) ?? [];
  if (sign !== "" && rest === "") {
    return { text: text.slice(0, from) + text.slice(end), start: from, end: from };
  }
  const number = /^(\d+)\. $/.exec(sign)?.[1];
  const next = number === undefined ? sign : `${Number(number) + 1}. `;
  const added = `\n${sign === "" ? "" : indent + next}`;
  const at = start + added.length;
  return { text: text.slice(0, start) + added + text.slice(end), start: at, end: at };
}
