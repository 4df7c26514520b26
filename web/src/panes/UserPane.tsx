import { allowed, type Member } from "hubbub/chat";
import { useChat, useConversation, usePresence, useUser, useView } from "hubbub/react";
import { useEffect, useState } from "react";
import { PaneHeader } from "../app/PageHeader.tsx";
import { go } from "../app/router.ts";
import { useMyId, useTitle } from "../conversations/names.ts";
import { formatDay, formatRelative, useTexts } from "../i18n/index.ts";
import { Avatar, Badge, Button, ConfirmDialog, Icon, toast, toastError } from "../ui/index.ts";
import styles from "./panes.module.css";
import { ReportDialog } from "./ReportDialog.tsx";
import { RestrictDialog } from "./RestrictDialog.tsx";
import { texts } from "./texts.ts";

/** Who somebody is, and what one can do about it. */
export function UserPane(props: { conversation: string; user: string; onClose(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const { conversation, user: id } = props;
  const user = useUser(id);
  const presence = usePresence(id);
  const view = useConversation(conversation);
  const place = useTitle(view);
  const me = useMyId();
  const office = useView(chat.me)?.office ?? "none";
  const blocked = useView(chat.blocks).some((each) => each.user === id);
  const member = useMember(conversation, id);
  const [dialog, setDialog] = useState<"block" | "report" | "restrict">();
  const name = user?.name || id;
  const self = id === me;
  const group = view !== undefined && view.conversation.kind !== "direct";
  const moderates = !self && (office !== "none" || (group && allowed(view, "moderate")));
  const close = () => setDialog(undefined);

  async function write() {
    try {
      go({ view: "conversation", conversation: await chat.direct(id) });
    } catch (error) {
      toastError(error);
    }
  }
  async function block(on: boolean) {
    close();
    try {
      await chat.call(on ? "blocks.add" : "blocks.remove", { user: id });
      toast(t(on ? "blocked" : "unblocked", { name }));
    } catch (error) {
      toastError(error);
    }
  }

  return (
    <>
      <PaneHeader title={t("profile")} onClose={props.onClose} />
      <div className={styles.body}>
        <div className={styles.face}>
          <Avatar id={id} name={name} src={user?.avatar} size={88} />
          <h3 className={styles.faceName} dir="auto">
            {name}
          </h3>
          <p className={styles.soft}>
            {presence?.availability === "offline" && presence.last_seen !== undefined
              ? `${t("lastSeen")}: ${formatRelative(presence.last_seen)}`
              : presence !== undefined && t(presence.availability)}
          </p>
          {(user?.kind === "agent" || user?.kind === "service") && (
            <Badge>{t(user.kind === "agent" ? "kindAgent" : "kindService")}</Badge>
          )}
          <div className={styles.faceActions}>
            <Button tone="primary" icon="compose" onClick={() => void write()} data-autofocus>
              {t("write")}
            </Button>
          </div>
        </div>
        <dl className={styles.facts}>
          <dt>{t("userId")}</dt>
          <dd>{id}</dd>
          {user?.created !== undefined && user.created > 0 && (
            <>
              <dt>{t("since")}</dt>
              <dd>{formatDay(user.created)}</dd>
            </>
          )}
          {group && member !== undefined && (
            <>
              <dt>{t("role")}</dt>
              <dd>{t(member.role ?? "member")}</dd>
              {member.since !== undefined && member.since > 0 && (
                <>
                  <dt>{t("memberSince")}</dt>
                  <dd>{formatDay(member.since)}</dd>
                </>
              )}
            </>
          )}
        </dl>
        {!self && (
          <div className={styles.links}>
            <button
              type="button"
              className={styles.link}
              onClick={() => (blocked ? void block(false) : setDialog("block"))}
            >
              <Icon name="minus" />
              <span className={styles.linkText}>{t(blocked ? "unblock" : "block")}</span>
            </button>
            <button type="button" className={styles.link} onClick={() => setDialog("report")}>
              <Icon name="flag" />
              <span className={styles.linkText}>{t("report")}</span>
            </button>
            {moderates && (
              <button
                type="button"
                className={`${styles.link} ${styles.danger}`}
                onClick={() => setDialog("restrict")}
              >
                <Icon name="shield" />
                <span className={styles.linkText}>{t("restrict")}</span>
              </button>
            )}
          </div>
        )}
      </div>
      <ConfirmDialog
        open={dialog === "block"}
        onClose={close}
        title={t("blockTitle", { name })}
        confirm={t("block")}
        danger
        onConfirm={() => void block(true)}
      >
        <p>{t("blockText")}</p>
      </ConfirmDialog>
      {dialog === "report" && <ReportDialog user={id} name={name} onClose={close} />}
      {dialog === "restrict" && (
        <RestrictDialog
          user={id}
          name={name}
          conversation={group ? { id: conversation, name: place } : undefined}
          everywhere={office !== "none"}
          onClose={close}
        />
      )}
    </>
  );
}

/** What somebody is in a conversation; undefined where that is not known. */
function useMember(conversation: string, user: string): Member | undefined {
  const chat = useChat();
  const [member, setMember] = useState<Member>();
  useEffect(() => {
    let wanted = true;
    // There is no operation for one: those of the first page are enough for a card.
    chat.call("members.list", { conversation, state: "joined", limit: 200 }).then(
      ({ members }) => wanted && setMember(members.find((each) => each.user === user)),
      () => undefined, // whoever may not see the members sees no role
    );
    return () => {
      wanted = false;
    };
  }, [chat, conversation, user]);
  return member;
}
