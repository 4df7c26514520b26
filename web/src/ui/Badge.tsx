import type { ReactNode } from "react";
import { labels } from "../app/keys.ts";
import { formatCount } from "../i18n/index.ts";
import styles from "./Badge.module.css";
import { cx } from "./cx.ts";

/** A count, in a pill. `label` says what is counted: "3 unread messages". Nothing is shown for 0. */
export function CountBadge(props: { count: number; label: string; tone?: "accent" | "danger" | "quiet" }) {
  if (props.count === 0) return null;
  return (
    <span className={cx(styles.count, styles[props.tone ?? "accent"])}>
      <span aria-hidden="true">{formatCount(props.count)}</span>
      <span className="visually-hidden">{props.label}</span>
    </span>
  );
}

/** A word in a pill: a role, a state. */
export function Badge({ tone = "quiet", children }: { tone?: Tone; children: ReactNode }) {
  return <span className={cx(styles.badge, styles[tone])}>{children}</span>;
}
type Tone = "quiet" | "accent" | "danger" | "warning" | "success";

/** Keys as one sees them on a keyboard, of `Mod+Shift+K`. */
export function Kbd({ keys }: { keys: string }) {
  return (
    <span className={styles.keys}>
      {labels(keys).map((label) => (
        <kbd key={label} className={styles.key}>
          {label}
        </kbd>
      ))}
    </span>
  );
}
