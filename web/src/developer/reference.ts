/** What the server says of itself in `asyncapi.json`: what to do about each error, and the methods that there are. */

import { useEffect, useState } from "react";
import { BASE } from "../app/page.ts";

export interface Reference {
  /** By the number of the error or disconnect. */
  readonly advice: ReadonlyMap<number, string>;
  readonly methods: readonly string[];
}

const NOTHING: Reference = { advice: new Map(), methods: [] };

let asked: Promise<Reference> | undefined;

/** Asked for once; nothing where it cannot be had. */
function reference(): Promise<Reference> {
  asked ??= fetch(new URL("asyncapi.json", BASE))
    .then(async (answer) => (answer.ok ? readReference(await answer.json()) : NOTHING))
    .catch(() => {
      asked = undefined; // the next who asks tries again
      return NOTHING;
    });
  return asked;
}

export function useReference(wanted: boolean): Reference {
  const [found, setFound] = useState(NOTHING);
  useEffect(() => {
    if (wanted) void reference().then(setFound);
  }, [wanted]);
  return found;
}

interface Document {
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
