import { useTexts } from "../i18n/index.ts";
import { Spinner } from "../ui/index.ts";
import styles from "./Layout.module.css";
import { texts } from "./texts.ts";

/** In the place of what is being loaded. */
export function Loading() {
  const t = useTexts(texts);
  return (
    <div className={styles.loading}>
      <Spinner label={t("loading")} />
    </div>
  );
}
