/** What is written into the search field: words, and filters such as `from:ada`. Pure. */

export type Has = "file" | "image" | "link" | "poll";

export interface Query {
  readonly text: string;
  /** A user, by id. */
  readonly from?: string;
  /** A conversation, by id or name. */
  readonly in?: string;
  /** Days: 2026-01-31. The day itself is in `after`, and not in `before`. */
  readonly after?: string;
  readonly before?: string;
  readonly has?: Has;
}

const HAS: readonly string[] = ["file", "image", "link", "poll"] satisfies readonly Has[];
const FILTER = /(?<!\S)(from|in|after|before|has):(?:"([^"]*)"|(\S+))(?!\S)/g;

/** Words and filters of what was written. What is no filter after all is a word. */
export function parseQuery(written: string): Query {
  const found: { -readonly [K in keyof Query]?: string } = {};
  const text = written.replace(FILTER, (whole, name: keyof Query, quoted?: string, plain?: string) => {
    const value = (quoted ?? plain ?? "").replace(name === "from" ? /^@/ : /^#/, "");
    const day = name === "after" || name === "before";
    const wrong = (day && dayOf(value) === undefined) || (name === "has" && !HAS.includes(value));
    if (value === "" || wrong) return whole;
    found[name] = value;
    return " ";
  });
  return { ...found, text: text.replace(/\s+/g, " ").trim() } as Query;
}

/** As it is written: `parseQuery(writeQuery(query))` is the query again. */
export function writeQuery(query: Query): string {
  const filters = (["from", "in", "after", "before", "has"] as const).flatMap((name) => {
    const value = query[name];
    if (value === undefined || value === "") return [];
    return /\s/.test(value) ? `${name}:"${value}"` : `${name}:${value}`;
  });
  return [query.text, ...filters].filter((each) => each !== "").join(" ");
}

/** The beginning of a day here, in Unix seconds; undefined for what is none. */
export function dayOf(day: string): number | undefined {
  const [, year, month, date] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day) ?? [];
  if (year === undefined) return undefined;
  const time = new Date(Number(year), Number(month) - 1, Number(date));
  return time.getMonth() === Number(month) - 1 ? time.getTime() / 1000 : undefined;
}
