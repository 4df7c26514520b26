/** Small things that the lists of this page share. */

import { useEffect, useState } from "react";
import { announce } from "../app/announce.ts";
import { language, useTexts } from "../i18n/index.ts";
import { Button } from "../ui/index.ts";
import { texts } from "./texts.ts";

const TOLD = 2000; // milliseconds

/** Copy a text; whether that was possible. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // not allowed, or no secure page
  }
}

/** A button that copies what `read` gives. `instead` is called where that is not possible. */
export function CopyButton({ label, read, instead }: { label?: string; read(): string; instead?(): void }) {
  const t = useTexts(texts);
  const [told, setTold] = useState<"copied" | "selected">();
  useEffect(() => {
    if (told === undefined) return;
    const timer = setTimeout(() => setTold(undefined), TOLD);
    return () => clearTimeout(timer);
  }, [told]);
  const press = async () => {
    if (await copy(read())) {
      setTold("copied");
      announce(t("copied"));
    } else if (instead !== undefined) {
      instead();
      setTold("selected");
    }
  };
  return (
    <Button size="s" icon="copy" onClick={() => void press()}>
      {told === undefined ? (label ?? t("copy")) : t(told)}
    </Button>
  );
}

const clocks = new Map<string, Intl.DateTimeFormat>();

/** The time of day to the second, or (`precise`) to the millisecond. `at` is in milliseconds since the epoch. */
export function Clock({ at, precise = false }: { at: number; precise?: boolean }) {
  const { code } = language();
  let clock = clocks.get(code);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat(code, {
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      hour12: false,
    });
    clocks.set(code, clock);
  }
  const date = new Date(at);
  return (
    <time dateTime={date.toISOString()}>
      {clock.format(date)}
      {precise && `.${String(date.getMilliseconds()).padStart(3, "0")}`}
    </time>
  );
}

const CHANNEL = /^[A-Za-z0-9_\-.:@/=+,~]+$/;

export const isChannel = (name: string): boolean => CHANNEL.test(name) && name.length <= 255;
