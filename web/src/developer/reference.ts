/** What the server says of itself in `asyncapi.json`: what to do about each error, and the methods that there are. */

export interface Reference {
  /** By the number of the error or disconnect. */
  readonly advice: ReadonlyMap<number, string>;
  readonly methods: readonly string[];
}

export interface Document {
  readonly operations?: Readonly<Record<string, { readonly title?: string }>>;
  readonly "x-errors"?: readonly Row[];
  readonly "x-disconnects"?: readonly Row[];
}

interface Row {
  readonly code: number;
  readonly advice: string;
}

export function readReference(document: Document): Reference {
  const rows = [...(document["x-errors"] ?? []), ...(document["x-disconnects"] ?? [])];
  const methods = Object.entries(document.operations ?? {})
    .filter(([name]) => name.startsWith("call."))
    .map(([, { title }]) => title ?? "")
    .filter(Boolean);
  return { advice: new Map(rows.map(({ code, advice }) => [code, advice])), methods: methods.sort() };
}
