import { type ReactNode, useState } from "react";
import { CountBadge, Icon } from "../ui/index.ts";
import styles from "./Fold.module.css";

/** A part of a client's pane that is folded away until it is wanted, with how much is in it. */
export function Fold(props: {
  name: string;
  title: string;
  count: number;
  /** Beside the count. */
  aside?: ReactNode;
  children: ReactNode;
}) {
  const { count } = props;
  const [open, setOpen] = useState(false);
  return (
    <details
      className={styles.fold}
      data-fold={props.name}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary className={styles.summary}>
        <Icon name="chevronEnd" size={14} />
        {props.title}
        <CountBadge tone="quiet" count={count} label={String(count)} />
        {props.aside !== undefined && <span className={styles.aside}>{props.aside}</span>}
      </summary>
      {open && <div className={styles.body}>{props.children}</div>}
    </details>
  );
}
