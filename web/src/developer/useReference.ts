import { useEffect, useState } from "react";
import { BASE } from "../app/page.ts";
import { type Reference, readReference } from "./reference.ts";

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

export function useReference(): Reference {
  const [found, setFound] = useState(NOTHING);
  useEffect(() => {
    void reference().then(setFound);
  }, []);
  return found;
}
