import { useChat, useHubbub, usePresence, useView } from "hubbub/react";
import { memo, useState } from "react";
import { useAway } from "../app/away.ts";
import { openHelp } from "../app/overlays.ts";
import { page } from "../app/page.ts";
import { go } from "../app/router.ts";
import { signOut } from "../app/session.ts";
import { useTexts } from "../i18n/index.ts";
import { Avatar, Icon, Menu } from "../ui/index.ts";
import styles from "./MeButton.module.css";
import { texts } from "./texts.ts";

/** Oneself, at the foot of the sidebar: status, settings, help, leaving. */
export const MeButton = memo(function MeButton() {
  const t = useTexts(texts);
  const chat = useChat();
  const connection = useView(useHubbub().connection);
  const me = useView(chat.me);
  const presence = usePresence(me?.user.id);
  const [anchor, setAnchor] = useState<Element | null>(null);
  const [away, say] = useAway();
  if (me === undefined) return null;
  const { user } = me;
  const there = connection.status === "connected";
  const availability = there ? (away ? "away" : (presence?.availability ?? "online")) : "offline";

  return (
    <>
      <button
        type="button"
        className={styles.me}
        aria-haspopup="menu"
        aria-expanded={anchor !== null}
        onClick={(event) => setAnchor(anchor === null ? event.currentTarget : null)}
      >
        <Avatar id={user.id} name={user.name ?? ""} src={user.avatar} size={30} presence={availability} />
        <span className={styles.names}>
          <span className={styles.name}>{user.name || user.id}</span>
          <span className={styles.status}>{t(availability)}</span>
        </span>
        <Icon name="gear" />
      </button>
      <Menu
        anchor={anchor}
        onClose={() => setAnchor(null)}
        label={user.name || user.id}
        placement="above-start"
        items={[
          away
            ? { label: t("setBack"), icon: "sun", onSelect: () => say(false) }
            : { label: t("setAway"), icon: "moon", onSelect: () => say(true) },
          {
            label: t("profile"),
            icon: "person",
            onSelect: () => go({ view: "settings", section: "profile" }),
          },
          {
            label: t("settings"),
            icon: "gear",
            keys: "g s",
            onSelect: () => go({ view: "settings", section: "" }),
          },
          { label: t("help"), icon: "help", keys: "?", onSelect: openHelp },
          ...(page.dev
            ? ([
                { label: t("developer"), icon: "code", onSelect: () => go({ view: "developer", rest: "" }) },
              ] as const)
            : []),
          "separator",
          { label: t("signOut"), icon: "leave", onSelect: () => void signOut() },
        ]}
      />
    </>
  );
});
