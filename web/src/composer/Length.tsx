import { page } from "../app/page.ts";
import { useTexts } from "../i18n/index.ts";
import { cx } from "../ui/index.ts";
import styles from "./Composer.module.css";
import { texts } from "./texts.ts";

const LIMIT = page.textLength;
const NEAR = Math.floor(LIMIT * 0.95);

const lengthOf = (text: string): number => [...text].length;

/** Whether a message may say so much. */
export const fits = (text: string): boolean => text.length <= LIMIT || lengthOf(text) <= LIMIT;

/** How many characters are left, or too many: told near the limit. */
export function Length({ text }: { text: string }) {
  const t = useTexts(texts);
  if (text.length <= NEAR) return null;
  const left = LIMIT - lengthOf(text);
  if (left >= LIMIT - NEAR) return null;
  return (
    <span className={cx(styles.count, left < 0 && styles.over)} role="status">
      {left < 0 ? t("tooLong", { count: -left }) : t("left", { count: left })}
    </span>
  );
}
