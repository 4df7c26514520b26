import { useTexts } from "../i18n/index.ts";
import { TextField } from "../ui/index.ts";
import { texts } from "./texts.ts";

/** A time as a browser's field has it, in Unix seconds of this place; undefined while it is none. */
export function timeOf(value: string): number | undefined {
  const time = new Date(value).getTime();
  return Number.isNaN(time) ? undefined : time / 1000;
}

/** `2026-01-31T14:05`, as the field wants it. */
export function fieldOf(time: number): string {
  const local = new Date(time * 1000 - new Date(time * 1000).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

/** A day and time to come. */
export function WhenField({ value, onChange }: { value: string; onChange(value: string): void }) {
  const t = useTexts(texts);
  const time = timeOf(value);
  const past = time !== undefined && time < Date.now() / 1000;
  return (
    <TextField
      label={t("when")}
      type="datetime-local"
      value={value}
      onChange={onChange}
      required
      error={past ? t("past") : undefined}
    />
  );
}
