import type { ReactNode } from "react";
import styles from "./Feedback.module.css";
import { Icon } from "./Icon.tsx";
import type { IconName } from "./icons.ts";

/** Something is going on. With a `label` it is read out. `size` in px. */
export function Spinner({ size = 20, label }: { size?: number; label?: string }) {
  return (
    <span className={styles.spinner} style={{ inlineSize: size, blockSize: size }} {...status(label)}>
      {label !== undefined && <span className="visually-hidden">{label}</span>}
    </span>
  );
}

const status = (label: string | undefined) =>
  label === undefined ? { "aria-hidden": true } : { role: "status" };

/** The shape of what is coming: `lines` of text, or a block of given size in px. */
export function Skeleton({
  lines = 1,
  width,
  height,
}: {
  lines?: number;
  width?: number | string;
  height?: number;
}) {
  return (
    <span className={styles.skeletons} aria-hidden="true">
      {Array.from({ length: lines }, (_, at) => (
        <span
          // biome-ignore lint/suspicious/noArrayIndexKey: lines are all the same
          key={at}
          className={styles.skeleton}
          style={{ inlineSize: width ?? (at === lines - 1 && lines > 1 ? "60%" : "100%"), blockSize: height }}
        />
      ))}
    </span>
  );
}

/** Says why there is nothing, and what can be done about it. */
export function EmptyState(props: {
  icon?: IconName;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className={styles.empty}>
      {props.icon !== undefined && (
        <span className={styles.emptyIcon}>
          <Icon name={props.icon} size={28} />
        </span>
      )}
      <p className={styles.emptyTitle}>{props.title}</p>
      {props.children !== undefined && <div className={styles.emptyText}>{props.children}</div>}
      {props.action}
    </div>
  );
}
