import styles from "./Icon.module.css";
import { type IconName, icons, POINTING } from "./icons.ts";

/** A decoration: whatever it says must be said by a label, too. `size` in px. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      className={POINTING.has(name) ? styles.pointing : styles.icon}
      width={size}
      height={size}
      viewBox="0 0 20 20"
      aria-hidden="true"
    >
      <path d={icons[name]} />
    </svg>
  );
}
