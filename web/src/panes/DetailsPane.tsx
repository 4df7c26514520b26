import { useConversation } from "hubbub/react";
import { useState } from "react";
import { PaneHeader } from "../app/PageHeader.tsx";
import { href, type Pane } from "../app/routes.ts";
import LeaveDialog from "../conversations/LeaveDialog.tsx";
import { iconOf } from "../conversations/look.ts";
import { useMyId, useNames, useTitle } from "../conversations/names.ts";
import { formatDay, useTexts } from "../i18n/index.ts";
import { Avatar, Icon, type IconName } from "../ui/index.ts";
import styles from "./panes.module.css";
import { texts } from "./texts.ts";

/** What a conversation is, and the ways to all that belongs to it. */
export function DetailsPane({ conversation: id, onClose }: { conversation: string; onClose(): void }) {
  const t = useTexts(texts);
  const view = useConversation(id);
  const me = useMyId();
  const title = useTitle(view);
  const by = view?.conversation.created_by;
  const names = useNames(by === undefined ? [] : [by]);
  const [leaving, setLeaving] = useState(false);
  if (view === undefined) return <PaneHeader title={t("details")} onClose={onClose} />;
  const { conversation, peer } = view;
  const direct = conversation.kind === "direct";
  const icon = iconOf(view, me);
  const slow = conversation.slow_mode ?? 0;

  const link = (to: Pane, icon: IconName, label: string) => (
    <a className={styles.link} href={href({ view: "conversation", conversation: id, pane: to })}>
      <Icon name={icon} />
      <span className={styles.linkText}>{label}</span>
      <Icon name="chevronEnd" size={14} />
    </a>
  );
  return (
    <>
      <PaneHeader title={t("details")} onClose={onClose} />
      <div className={styles.body}>
        <div className={styles.face}>
          <Avatar
            id={peer?.id ?? id}
            name={title}
            src={peer?.avatar ?? conversation.avatar}
            size={72}
            square={icon !== undefined}
            {...(icon === undefined ? {} : { icon })}
          />
          <h3 className={styles.faceName} dir="auto">
            {title}
          </h3>
          {!direct && (
            <p dir="auto">{conversation.topic || <span className={styles.soft}>{t("noTopic")}</span>}</p>
          )}
        </div>
        <nav className={styles.links} aria-label={t("details")}>
          {direct
            ? peer !== undefined && link({ kind: "user", user: peer.id }, "person", t("profile"))
            : link({ kind: "members" }, "group", t("membersCount", { count: conversation.members ?? 0 }))}
          {link({ kind: "pins" }, "pin", t("pins"))}
          {link({ kind: "files" }, "file", t("files"))}
          {link({ kind: "search" }, "search", t("searchHere"))}
          {link({ kind: "settings" }, "gear", t("settings"))}
        </nav>
        <dl className={styles.facts}>
          <dt>{t("messages")}</dt>
          <dd>{(conversation.messages ?? 0).toLocaleString()}</dd>
          {slow > 0 && (
            <>
              <dt>{t("slow")}</dt>
              <dd>{t("slowEvery", { count: slow })}</dd>
            </>
          )}
          {!direct && conversation.created !== undefined && conversation.created > 0 && (
            <>
              <dt>{t("about")}</dt>
              <dd>
                {t("createdBy", {
                  name: (by !== undefined && names(by)) || by || t("server"),
                  when: formatDay(conversation.created),
                })}
              </dd>
            </>
          )}
        </dl>
        {!direct && view.membership.state === "joined" && (
          <div className={styles.links}>
            <button
              type="button"
              className={`${styles.link} ${styles.danger}`}
              onClick={() => setLeaving(true)}
            >
              <Icon name="leave" />
              <span className={styles.linkText}>{t("leave")}</span>
            </button>
          </div>
        )}
      </div>
      {leaving && <LeaveDialog view={view} onClose={() => setLeaving(false)} />}
    </>
  );
}
