import type { LocationPart } from "hubbub/chat";
import { formatRelative, useTexts } from "../../i18n/index.ts";
import { Icon } from "../../ui/index.ts";
import { texts } from "../texts.ts";
import styles from "./Parts.module.css";

/** A place on earth. No map is loaded: it would tell others who looks. */
export function Location({ part }: { part: LocationPart }) {
  const t = useTexts(texts);
  const { latitude, longitude } = part;
  const map = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=16/${latitude}/${longitude}`;
  const live = part.live_until;
  const notes = [
    `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`,
    part.accuracy !== undefined && t("accuracy", { meters: Math.round(part.accuracy) }),
    live !== undefined &&
      (live * 1000 > Date.now() ? t("live", { when: formatRelative(live) }) : t("liveOver")),
  ].filter((each): each is string => each !== false);
  return (
    <div className={`${styles.box} ${styles.place}`}>
      <span className={styles.pinned}>
        <Icon name="pin" />
      </span>
      <div className={styles.optionText}>
        <p className={styles.title} dir="auto">
          {part.label ?? t("location")}
        </p>
        <p className={styles.small}>{notes.join(" · ")}</p>
        <a href={map} target="_blank" rel="noopener noreferrer">
          {t("openMap")}
        </a>
      </div>
    </div>
  );
}
