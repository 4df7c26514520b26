import { useChat } from "hubbub/react";
import { formatRelative, useTexts } from "../i18n/index.ts";
import { Button, Icon, toastError } from "../ui/index.ts";
import styles from "./Composer.module.css";
import { texts } from "./texts.ts";
import type { Refusal as Why } from "./useRefusal.ts";

/** In place of the field: why one cannot write, and what can be done about it. */
export function Refusal({ conversation, refusal }: { conversation: string; refusal: Why }) {
  const t = useTexts(texts);
  const chat = useChat();
  const join = () => void chat.call("members.join", { conversation }).catch(toastError);
  const { why } = refusal;
  const said = {
    closed: () => t("closed"),
    noPermission: () => t("noPermission"),
    reader: () => t("notMember"),
    guest: () => t("notMember"),
    invited: () => t("invited"),
    left: () => t("left_"),
    restricted: () => restricted(),
  }[why];
  function restricted(): string {
    if (refusal.why !== "restricted") return "";
    const { kind, until, reason, conversation: where } = refusal.restriction;
    const what =
      kind === "ban"
        ? t("banned")
        : until !== undefined
          ? t("mutedUntil", { when: formatRelative(until) })
          : t(where === undefined ? "mutedEverywhere" : "muted");
    return reason ? `${what} ${t("reason", { reason })}` : what;
  }
  return (
    <div className={styles.refusal} role="status">
      <Icon name={why === "restricted" ? "shield" : why === "closed" ? "lock" : "info"} size={16} />
      <span>{said()}</span>
      {why === "guest" && (
        <Button size="s" tone="primary" onClick={join}>
          {t("join")}
        </Button>
      )}
      {why === "invited" && (
        <Button size="s" tone="primary" onClick={join}>
          {t("accept")}
        </Button>
      )}
    </div>
  );
}
