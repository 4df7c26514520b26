import type { Reminder } from "hubbub/chat";
import { useChat, useConversation, useView } from "hubbub/react";
import { useState } from "react";
import { PageHeader } from "../app/PageHeader.tsx";
import { useMyId } from "../conversations/names.ts";
import { formatDay, formatTime, useTexts } from "../i18n/index.ts";
import {
  Button,
  Dialog,
  EmptyState,
  Icon,
  IconButton,
  MenuButton,
  TextField,
  toastError,
} from "../ui/index.ts";
import styles from "./panes.module.css";
import { hrefTo, nameOf } from "./places.ts";
import { texts } from "./texts.ts";
import { fieldOf, timeOf, WhenField } from "./WhenField.tsx";

/** Of what one is to be reminded: what is due first. */
export default function RemindersPage() {
  const t = useTexts(texts);
  const reminders = useView(useChat().reminders);
  const [making, setMaking] = useState(false);
  const due = reminders.filter((each) => each.reminded !== undefined);
  const later = reminders.filter((each) => each.reminded === undefined);
  return (
    <>
      <PageHeader title={t("reminders")}>
        <Button icon="plus" onClick={() => setMaking(true)}>
          {t("newReminder")}
        </Button>
      </PageHeader>
      <div className={styles.body}>
        <div className={styles.page}>
          {reminders.length === 0 && (
            <EmptyState icon="bell" title={t("remindersNone")}>
              {t("remindersNoneHint")}
            </EmptyState>
          )}
          <Group title={t("due")} reminders={due} />
          <Group title={t("upcoming")} reminders={later} />
        </div>
      </div>
      {making && <ReminderDialog onClose={() => setMaking(false)} />}
    </>
  );
}

function Group({ title, reminders }: { title: string; reminders: readonly Reminder[] }) {
  if (reminders.length === 0) return null;
  return (
    <section aria-label={title}>
      <h3 className={styles.heading}>{title}</h3>
      <ul className={styles.list}>
        {reminders.map((each) => (
          <Row key={each.id} reminder={each} />
        ))}
      </ul>
    </section>
  );
}

function Row({ reminder }: { reminder: Reminder }) {
  const t = useTexts(texts);
  const chat = useChat();
  const me = useMyId();
  const { conversation, message } = reminder;
  const view = useConversation(conversation);
  const [editing, setEditing] = useState(false);
  const due = reminder.reminded !== undefined;
  const move = (at: number) =>
    void chat.call("reminders.update", { reminder: reminder.id, at }).catch(toastError);
  const place = conversation === undefined ? "" : nameOf(view, conversation, me);
  return (
    <li className={styles.card}>
      <Icon name="bell" />
      <div className={styles.cardTexts}>
        <p className={styles.cardHead}>
          <strong dir="auto">{reminder.note || place || t("reminders")}</strong>
          <time
            className={due ? styles.failure : styles.soft}
            dateTime={new Date(reminder.at * 1000).toISOString()}
          >
            {t("at", { day: formatDay(reminder.at), time: formatTime(reminder.at) })}
          </time>
        </p>
        {conversation !== undefined && message !== undefined && (
          <p>
            <a href={hrefTo({ conversation, seq: message })}>{t("toMessageIn", { name: place })}</a>
          </p>
        )}
      </div>
      <IconButton
        icon="check"
        size="s"
        label={t("done")}
        onClick={() => void chat.call("reminders.remove", { reminder: reminder.id }).catch(toastError)}
      />
      <MenuButton
        size="s"
        label={t("more")}
        items={[
          { label: t("inHour"), icon: "clock", onSelect: () => move(Math.round(Date.now() / 1000) + 3600) },
          { label: t("tomorrow"), icon: "clock", onSelect: () => move(tomorrow()) },
          { label: t("editReminder"), icon: "edit", onSelect: () => setEditing(true) },
        ]}
      />
      {editing && <ReminderDialog reminder={reminder} onClose={() => setEditing(false)} />}
    </li>
  );
}

/** Tomorrow at nine, here. */
const tomorrow = (): number => {
  const day = new Date();
  day.setDate(day.getDate() + 1);
  return day.setHours(9, 0, 0, 0) / 1000;
};

function ReminderDialog({ reminder, onClose }: { reminder?: Reminder; onClose(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const [note, setNote] = useState(reminder?.note ?? "");
  const [when, setWhen] = useState(fieldOf(Math.max(reminder?.at ?? 0, Date.now() / 1000 + 3600)));
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const at = timeOf(when);
  const missing = note.trim() === "" && reminder?.message === undefined;

  async function save() {
    setTried(true);
    if (missing || at === undefined || at < Date.now() / 1000) return;
    setBusy(true);
    try {
      if (reminder === undefined) await chat.call("reminders.create", { at, note: note.trim() });
      else await chat.call("reminders.update", { reminder: reminder.id, at, note: note.trim() });
      onClose();
    } catch (error) {
      toastError(error);
      setBusy(false);
    }
  }
  return (
    <Dialog
      open
      onClose={onClose}
      size="s"
      title={t(reminder === undefined ? "newReminder" : "editReminder")}
      onSubmit={() => void save()}
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button tone="primary" type="submit" busy={busy}>
            {t("save")}
          </Button>
        </>
      }
    >
      <TextField
        label={t("remindOf")}
        value={note}
        onChange={setNote}
        error={tried && missing ? t("remindNeeded") : undefined}
      />
      <WhenField value={when} onChange={setWhen} />
    </Dialog>
  );
}
