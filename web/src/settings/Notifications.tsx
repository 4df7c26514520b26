import type { ConversationView } from "hubbub/chat";
import { useChat, useConversations } from "hubbub/react";
import { useState } from "react";
import { beep } from "../app/sound.ts";
import { mute } from "../conversations/actions.ts";
import { useTitle } from "../conversations/names.ts";
import { formatDay, formatTime, useTexts } from "../i18n/index.ts";
import { Button, Choice, Switch } from "../ui/index.ts";
import styles from "./SettingsPage.module.css";
import { change, useSettings } from "./store.ts";
import { texts } from "./texts.ts";

type Permission = NotificationPermission | "unsupported";
const permissionNow = (): Permission =>
  typeof Notification === "undefined" ? "unsupported" : Notification.permission;

/** Of what one is told, and how. */
export function Notifications() {
  const t = useTexts(texts);
  const { notifications, sound, preview } = useSettings();
  const [permission, setPermission] = useState(permissionNow);
  const muted = useConversations().filter((view) => view.muted);

  function tryOut() {
    if (sound) beep();
    if (permission === "granted") {
      new Notification(t("tryOutTitle"), { body: preview ? t("tryOutBody") : "", icon: "./web/icon.svg" });
    }
  }

  return (
    <>
      <Choice
        label={t("which")}
        value={notifications}
        onChange={(to) => change({ notifications: to })}
        options={[
          { value: "all", label: t("all") },
          { value: "mentions", label: t("mentions") },
          { value: "none", label: t("none") },
        ]}
      />
      <div>
        <h4 className={styles.subheading}>{t("browser")}</h4>
        <p className={styles.hint}>{permission === "default" ? t("browserHint") : t(permission)}</p>
        {permission === "default" && (
          <Button
            tone="primary"
            icon="bell"
            onClick={() => void Notification.requestPermission().then(setPermission)}
          >
            {t("allow")}
          </Button>
        )}
      </div>
      <Switch label={t("sound")} checked={sound} onChange={(on) => change({ sound: on })} />
      <Switch label={t("preview")} checked={preview} onChange={(on) => change({ preview: on })} />
      <div>
        <Button onClick={tryOut}>{t("tryOut")}</Button>
      </div>
      <div>
        <h4 className={styles.subheading}>{t("muted")}</h4>
        {muted.length === 0 && <p className={styles.hint}>{t("noneMuted")}</p>}
        <ul className={styles.rows}>
          {muted.map((view) => (
            <Muted key={view.conversation.id} view={view} />
          ))}
        </ul>
      </div>
    </>
  );
}

const FAR = 4e9; // seconds: what is muted so long is muted for good

function Muted({ view }: { view: ConversationView }) {
  const t = useTexts(texts);
  const chat = useChat();
  const until = view.membership.muted_until ?? 0;
  return (
    <li className={styles.row}>
      <span className={styles.rowName}>{useTitle(view)}</span>
      {until < FAR && (
        <span className={styles.hint}>
          {t("until", { when: `${formatDay(until)}, ${formatTime(until)}` })}
        </span>
      )}
      <Button size="s" icon="bell" onClick={() => mute(chat, view.conversation.id, null)}>
        {t("unmute")}
      </Button>
    </li>
  );
}
