import type { ReactNode } from "react";
import { useTexts } from "../i18n/index.ts";
import { Icon } from "../ui/index.ts";
import styles from "./PageHeader.module.css";
import { href } from "./routes.ts";
import { texts } from "./texts.ts";

/** The head of a page that takes the place of a conversation; on a phone it leads back. */
export function PageHeader({
  title,
  hint,
  children,
}: {
  title: string;
  hint?: string;
  children?: ReactNode;
}) {
  const t = useTexts(texts);
  return (
    <header className={styles.header}>
      <a className={styles.back} href={href({ view: "home" })} aria-label={t("back")}>
        <Icon name="back" />
      </a>
      <div className={styles.texts}>
        <h2 className={styles.title}>{title}</h2>
        {hint !== undefined && <p className={styles.hint}>{hint}</p>}
      </div>
      {children}
    </header>
  );
}

/** The head of a pane beside a conversation. `onClose` closes it, as Escape does. */
export function PaneHeader(props: {
  title: ReactNode;
  hint?: ReactNode;
  onClose(): void;
  children?: ReactNode;
}) {
  const t = useTexts(texts);
  return (
    <header className={styles.header}>
      <div className={styles.texts}>
        <h2 className={styles.title}>{props.title}</h2>
        {props.hint !== undefined && <p className={styles.hint}>{props.hint}</p>}
      </div>
      {props.children}
      <button
        type="button"
        className={styles.close}
        aria-label={t("close")}
        data-tip={t("close")}
        data-keys="Escape"
        onClick={props.onClose}
      >
        <Icon name="close" />
      </button>
    </header>
  );
}
