import type { MessageItem } from "hubbub/chat";
import { useState } from "react";
import { gist } from "../../conversations/look.ts";
import { formatDay, formatTime, useTexts } from "../../i18n/index.ts";
import { Button, Choice, Dialog, TextField, toast, toastError } from "../../ui/index.ts";
import { useRoom } from "../room.ts";
import { texts } from "../texts.ts";
import styles from "./dialogs.module.css";
import { fromLocal, soon, toLocal } from "./times.ts";

type When = keyof ReturnType<typeof soon> | "at";

/** Have oneself reminded of a message. */
export default function RemindDialog({ item, onClose }: { item: MessageItem; onClose(): void }) {
  const t = useTexts(texts);
  const { chat, conversation } = useRoom();
  const [now] = useState(() => Date.now() / 1000);
  const [when, setWhen] = useState<When>("in1h");
  const [at, setAt] = useState(() => toLocal(soon(now).in3h));
  const [note, setNote] = useState("");
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const remind = async () => {
    const time = when === "at" ? fromLocal(at) : soon(Date.now() / 1000)[when];
    if (time === undefined || time * 1000 <= Date.now()) {
      setError(t("past"));
      return;
    }
    setBusy(true);
    try {
      const message = item.message.seq;
      await chat.call("reminders.create", { conversation, message, at: time, ...(note && { note }) });
      toast(t("remindDone", { when: `${formatDay(time)}, ${formatTime(time)}` }), { tone: "success" });
      onClose();
    } catch (problem) {
      toastError(problem);
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("remindTitle")}
      onSubmit={() => void remind()}
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button tone="primary" type="submit" busy={busy}>
            {t("remindSet")}
          </Button>
        </>
      }
    >
      <p className={styles.gist} dir="auto">
        {gist(item.message)}
      </p>
      <Choice<When>
        label={t("remindTitle")}
        hideLabel
        value={when}
        onChange={setWhen}
        options={[
          { value: "in20", label: t("remindIn20") },
          { value: "in1h", label: t("remindIn1h") },
          { value: "in3h", label: t("remindIn3h") },
          { value: "tomorrow", label: t("remindTomorrow") },
          { value: "monday", label: t("remindMonday") },
          { value: "at", label: t("remindAt") },
        ]}
      />
      {when === "at" && (
        <TextField
          label={t("remindAt")}
          type="datetime-local"
          value={at}
          onChange={(value) => {
            setAt(value);
            setError(undefined);
          }}
          error={error}
        />
      )}
      <TextField label={t("remindNote")} value={note} onChange={setNote} maxLength={500} />
    </Dialog>
  );
}
