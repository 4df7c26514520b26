import { allowed, type ConversationView, type UpdateConversation, type Visibility } from "hubbub/chat";
import { useChat, useConversation, useView } from "hubbub/react";
import { type FormEvent, useState } from "react";
import { PaneHeader } from "../app/PageHeader.tsx";
import { archive, mute } from "../conversations/actions.ts";
import LeaveDialog from "../conversations/LeaveDialog.tsx";
import { useTitle } from "../conversations/names.ts";
import { formatDay, formatTime, useTexts } from "../i18n/index.ts";
import {
  Button,
  ConfirmDialog,
  Select,
  Switch,
  TextArea,
  TextField,
  toast,
  toastError,
} from "../ui/index.ts";
import { Permissions } from "./Permissions.tsx";
import styles from "./panes.module.css";
import { texts } from "./texts.ts";

/** What one can change of a conversation: for oneself, and for everybody as far as one may. */
export default function SettingsPane({
  conversation: id,
  onClose,
}: {
  conversation: string;
  onClose(): void;
}) {
  const t = useTexts(texts);
  const view = useConversation(id);
  const title = useTitle(view);
  const office = useView(useChat().me)?.office ?? "none";
  const group = view !== undefined && view.conversation.kind !== "direct";
  return (
    <>
      <PaneHeader title={t("settingsTitle")} hint={title} onClose={onClose} />
      {view !== undefined && (
        <div className={`${styles.body} ${styles.padded}`}>
          <Own view={view} title={title} />
          {group && allowed(view, "update") && <General key={view.conversation.id} view={view} />}
          {group && <Rules view={view} admin={office === "admin"} />}
          {group && <Ending view={view} title={title} />}
        </div>
      )}
    </>
  );
}

function Own({ view, title }: { view: ConversationView; title: string }) {
  const t = useTexts(texts);
  const chat = useChat();
  const { id } = view.conversation;
  const until = view.membership.muted_until ?? 0;
  const now = Date.now() / 1000;
  type When = "on" | "hour" | "eight" | "off" | "until";
  const current: When = !view.muted ? "on" : until > 4e9 ? "off" : "until";
  const times: Record<Exclude<When, "until">, number | null> = {
    on: null,
    hour: now + 3600,
    eight: now + 8 * 3600,
    off: 9e15,
  };
  return (
    <section className={styles.group} aria-label={t("yours")}>
      <h3 className={styles.subheading}>{t("yours")}</h3>
      <Select<When>
        label={t("notifications")}
        value={current}
        onChange={(to) => to !== "until" && mute(chat, id, times[to])}
        options={[
          { value: "on", label: t("notifyAll") },
          ...(current === "until"
            ? [
                {
                  value: "until" as const,
                  label: t("mutedUntil", { when: `${formatDay(until)}, ${formatTime(until)}` }),
                },
              ]
            : []),
          { value: "hour", label: t("muteHour") },
          { value: "eight", label: t("muteEight") },
          { value: "off", label: t("muteGood") },
        ]}
      />
      <Switch
        label={t("archived")}
        hint={t("archivedHint")}
        checked={view.membership.archived === true}
        onChange={(on) => archive(chat, id, on, title)}
      />
    </section>
  );
}

function useUpdate(id: string) {
  const t = useTexts(texts);
  const chat = useChat();
  const [busy, setBusy] = useState(false);
  async function update(change: Omit<UpdateConversation, "conversation">) {
    setBusy(true);
    try {
      await chat.call("conversations.update", { conversation: id, ...change });
      toast(t("saved"), { tone: "success" });
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  }
  return { busy, update };
}

function General({ view }: { view: ConversationView }) {
  const t = useTexts(texts);
  const { conversation } = view;
  const [name, setName] = useState(conversation.name ?? "");
  const [topic, setTopic] = useState(conversation.topic ?? "");
  const [avatar, setAvatar] = useState(conversation.avatar ?? "");
  const { busy, update } = useUpdate(conversation.id);
  const changed =
    name !== (conversation.name ?? "") ||
    topic !== (conversation.topic ?? "") ||
    avatar !== (conversation.avatar ?? "");
  const said = (text: string) => (text.trim() === "" ? null : text.trim());
  function save(event: FormEvent) {
    event.preventDefault();
    void update({ name: said(name), topic: said(topic), avatar: said(avatar) });
  }
  return (
    <section className={styles.group} aria-label={t("general")}>
      <h3 className={styles.subheading}>{t("general")}</h3>
      <form className={styles.form} onSubmit={save}>
        <TextField label={t("name")} value={name} onChange={setName} />
        <TextArea label={t("topicLabel")} value={topic} onChange={setTopic} rows={2} />
        <TextField label={t("avatar")} type="url" value={avatar} onChange={setAvatar} />
        <div className={styles.buttons}>
          <Button tone="primary" type="submit" busy={busy} disabled={!changed}>
            {t("save")}
          </Button>
        </div>
      </form>
    </section>
  );
}

const SLOW = [0, 5, 10, 30, 60, 300, 900, 3600] as const;
const DAY = 86_400;
const KEPT = [1, 7, 30, 90, 365].map((days) => days * DAY);

function Rules({ view, admin }: { view: ConversationView; admin: boolean }) {
  const t = useTexts(texts);
  const chat = useChat();
  const { conversation } = view;
  const { update } = useUpdate(conversation.id);
  const manages = allowed(view, "manage");
  const moderates = allowed(view, "moderate");
  if (!manages && !moderates && !admin) return null;
  const slow = conversation.slow_mode ?? 0;
  const slowLabel = (seconds: number) => {
    if (seconds === 0) return t("slowOff");
    if (seconds % 3600 === 0) return t("hours", { count: seconds / 3600 });
    return seconds % 60 === 0 ? t("minutes", { count: seconds / 60 }) : t("seconds", { count: seconds });
  };
  const kept = conversation.retention === undefined ? "usual" : String(conversation.retention);
  const setKept = (to: string) =>
    chat
      .call("retention.update", {
        conversation: conversation.id,
        retention: to === "usual" ? null : Number(to),
      })
      .then(() => toast(t("saved"), { tone: "success" }), toastError);
  const withCurrent = (all: readonly number[], current: number) =>
    all.includes(current) ? all : [...all, current].sort((a, b) => a - b);
  return (
    <section className={styles.group} aria-label={t("rules")}>
      <h3 className={styles.subheading}>{t("rules")}</h3>
      {moderates && (
        <Select
          label={t("slowMode")}
          hint={t("slowHint")}
          value={String(slow)}
          onChange={(to) => void update({ slow_mode: Number(to) })}
          options={withCurrent(SLOW, slow).map((each) => ({ value: String(each), label: slowLabel(each) }))}
        />
      )}
      {manages && (
        <>
          <Select<Visibility>
            label={t("history")}
            value={conversation.history ?? "all"}
            onChange={(to) => void update({ history: to })}
            options={[
              { value: "all", label: t("historyAll") },
              { value: "joined", label: t("historyJoined") },
            ]}
          />
          <Permissions view={view} onChange={(permissions) => void update({ permissions })} />
        </>
      )}
      {admin && (
        <Select
          label={t("retention")}
          hint={t("retentionHint")}
          value={kept}
          onChange={(to) => void setKept(to)}
          options={[
            { value: "usual", label: t("retentionUsual") },
            { value: "0", label: t("retentionEver") },
            ...(kept === "usual" || kept === "0" ? KEPT : withCurrent(KEPT, Number(kept))).map((each) => ({
              value: String(each),
              label: t("days", { count: Math.max(1, Math.round(each / DAY)) }),
            })),
          ]}
        />
      )}
    </section>
  );
}

function Ending({ view, title }: { view: ConversationView; title: string }) {
  const t = useTexts(texts);
  const { conversation } = view;
  const [asking, setAsking] = useState<"leave" | "close">();
  const { busy, update } = useUpdate(conversation.id);
  const closed = conversation.closed === true;
  const done = () => setAsking(undefined);
  return (
    <section className={styles.group} aria-label={t("danger")}>
      <h3 className={styles.subheading}>{t("danger")}</h3>
      {allowed(view, "manage") && <p className={styles.soft}>{t("closeHint")}</p>}
      <div className={styles.buttons}>
        {allowed(view, "manage") &&
          (closed ? (
            <Button icon="lock" busy={busy} onClick={() => void update({ closed: false })}>
              {t("reopen")}
            </Button>
          ) : (
            <Button icon="lock" onClick={() => setAsking("close")}>
              {t("close")}
            </Button>
          ))}
        {view.membership.state === "joined" && (
          <Button tone="danger" icon="leave" onClick={() => setAsking("leave")}>
            {t("leave")}
          </Button>
        )}
      </div>
      <ConfirmDialog
        open={asking === "close"}
        onClose={done}
        title={t("closeTitle", { name: title })}
        confirm={t("close")}
        danger
        busy={busy}
        onConfirm={() => void update({ closed: true }).then(done)}
      >
        <p>{t("closeText")}</p>
      </ConfirmDialog>
      {asking === "leave" && <LeaveDialog view={view} onClose={done} />}
    </section>
  );
}
