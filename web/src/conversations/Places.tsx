import { useChat, useConversations, useView } from "hubbub/react";
import { memo } from "react";
import { useRoute } from "../app/router.ts";
import { href, type Route } from "../app/routes.ts";
import { useTexts } from "../i18n/index.ts";
import { CountBadge, cx, Icon, type IconName } from "../ui/index.ts";
import styles from "./Places.module.css";
import { texts } from "./texts.ts";

interface Place {
  readonly icon: IconName;
  readonly label: string;
  readonly route: Route;
  readonly count?: number;
}

/** Where one can go beside conversations. */
export const Places = memo(function Places() {
  const t = useTexts(texts);
  const chat = useChat();
  const route = useRoute();
  const threads = useView(chat.threads);
  const scheduled = useView(chat.scheduled);
  const me = useView(chat.me);
  const some = useConversations().length > 0;
  const unread = threads.reduce((sum, thread) => sum + (thread.unread ?? 0), 0);
  const places: readonly Place[] = [
    { icon: "thread", label: t("threads"), route: { view: "threads" }, count: unread },
    { icon: "bookmark", label: t("bookmarks"), route: { view: "bookmarks" } },
    ...(scheduled.length === 0
      ? []
      : [{ icon: "clock", label: t("scheduled"), route: { view: "scheduled" } } as const]),
    { icon: "bell", label: t("reminders"), route: { view: "reminders" } },
    { icon: "hash", label: t("discover"), route: { view: "discover" } },
    ...(me === undefined || me.office === "none"
      ? []
      : [{ icon: "shield", label: t("moderation"), route: { view: "moderation", rest: "" } } as const]),
  ];
  if (!some && me === undefined) return null;
  return (
    <ul className={styles.places} aria-label={t("goTo")}>
      {places.map((place) => (
        <li key={place.route.view}>
          <a
            href={href(place.route)}
            className={cx(styles.place)}
            aria-current={route.view === place.route.view ? "page" : undefined}
          >
            <Icon name={place.icon} size={16} />
            <span className={styles.label}>{place.label}</span>
            <CountBadge count={place.count ?? 0} label={t("unreadCount", { count: place.count ?? 0 })} />
          </a>
        </li>
      ))}
    </ul>
  );
});
