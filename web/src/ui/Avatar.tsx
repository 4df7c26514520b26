import { useState } from "react";
import { useTexts } from "../i18n/index.ts";
import styles from "./Avatar.module.css";
import { cx } from "./cx.ts";
import { Icon } from "./Icon.tsx";
import type { IconName } from "./icons.ts";
import { hue, initials } from "./initials.ts";
import { texts } from "./texts.ts";

export interface AvatarProps {
  /** Decides the colour: the id of a user or conversation. */
  id: string;
  name: string;
  /** Address of a picture; without one, or if it cannot be had, initials. */
  src?: string | null | undefined;
  /** In px. */
  size?: number;
  /** A dot that says whether the user is there; read out, too. */
  presence?: "online" | "away" | "offline" | undefined;
  /** Instead of initials: for conversations. */
  icon?: IconName;
  /** Users are round, conversations have corners. */
  square?: boolean;
}

/** A picture of somebody. Decorative but for the presence: the name is to stand beside it. */
export function Avatar({ id, name, src, size = 32, presence, icon, square = false }: AvatarProps) {
  const t = useTexts(texts);
  const [broken, setBroken] = useState<string | null>(null);
  const picture = src != null && src !== "" && src !== broken;
  return (
    <span className={styles.avatar} style={{ inlineSize: size, blockSize: size, fontSize: size * 0.4 }}>
      <span
        className={cx(styles.face, square && styles.square)}
        data-hue={picture ? undefined : hue(id)}
        aria-hidden="true"
      >
        {picture ? (
          <img src={src} alt="" width={size} height={size} loading="lazy" onError={() => setBroken(src)} />
        ) : icon !== undefined ? (
          <Icon name={icon} size={Math.round(size * 0.56)} />
        ) : (
          initials(name || id)
        )}
      </span>
      {presence !== undefined && (
        <span className={cx(styles.dot, styles[presence])}>
          <span className="visually-hidden">{t(presence)}</span>
        </span>
      )}
    </span>
  );
}
