import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import styles from "./Button.module.css";
import { cx } from "./cx.ts";
import { Spinner } from "./Feedback.tsx";
import { Icon } from "./Icon.tsx";
import type { IconName } from "./icons.ts";
import { tip } from "./Tooltip.tsx";

type Native = Omit<ButtonHTMLAttributes<HTMLButtonElement>, "className">;

export interface ButtonProps extends Native {
  ref?: Ref<HTMLButtonElement>;
  /** `primary`: the one thing to do here; `plain`: without a border; `danger`: cannot be undone. */
  tone?: "primary" | "neutral" | "plain" | "danger";
  size?: "m" | "s";
  icon?: IconName;
  /** Shows that it is being done; it cannot be pressed again meanwhile. */
  busy?: boolean;
  children: ReactNode;
}

export function Button({ tone = "neutral", size = "m", icon, busy = false, children, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      className={cx(styles.button, styles[tone], size === "s" && styles.small)}
      aria-busy={busy || undefined}
      disabled={rest.disabled === true || busy}
    >
      {busy ? <Spinner size={16} /> : icon !== undefined && <Icon name={icon} size={16} />}
      {children}
    </button>
  );
}

export interface IconButtonProps extends Native {
  ref?: Ref<HTMLButtonElement>;
  icon: IconName;
  /** What it does: read out, and shown in a tooltip. */
  label: string;
  /** Keys that do the same, shown in the tooltip: `Mod+K`. */
  keys?: string;
  size?: "m" | "s";
  tone?: "plain" | "primary" | "danger";
}

export function IconButton({ icon, label, keys, size = "m", tone = "plain", ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      {...tip(label, keys)}
      aria-label={label}
      className={cx(styles.iconButton, styles[tone], size === "s" && styles.small)}
    >
      <Icon name={icon} size={size === "s" ? 16 : 18} />
    </button>
  );
}
