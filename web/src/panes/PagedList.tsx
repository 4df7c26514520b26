import type { ReactNode } from "react";
import { useTexts } from "../i18n/index.ts";
import { Button, EmptyState, Skeleton } from "../ui/index.ts";
import type { Paged } from "./paged.ts";
import styles from "./panes.module.css";
import { texts } from "./texts.ts";

/** A list that comes in pages, with what there is to say while it is loading, empty or broken. */
export function PagedList<T>(props: {
  list: Paged<T>;
  label: string;
  keyOf(item: T): string | number;
  empty: ReactNode;
  children(item: T): ReactNode;
}) {
  const t = useTexts(texts);
  const { items, more, busy, error, loadMore, again } = props.list;
  if (error !== undefined) {
    return (
      <EmptyState
        icon="warning"
        title={t("failed")}
        action={<Button onClick={again}>{t("tryAgain")}</Button>}
      >
        {error}
      </EmptyState>
    );
  }
  if (items === undefined) {
    return (
      <div className={styles.waiting} role="status">
        <span className="visually-hidden">{t("loading")}</span>
        <Skeleton lines={5} />
      </div>
    );
  }
  if (items.length === 0 && !more) return props.empty;
  return (
    <>
      <ul className={styles.list} aria-label={props.label}>
        {items.map((item) => (
          <li key={props.keyOf(item)}>{props.children(item)}</li>
        ))}
      </ul>
      {more && (
        <div className={styles.more}>
          <Button busy={busy} onClick={loadMore}>
            {t("showMore")}
          </Button>
        </div>
      )}
    </>
  );
}
