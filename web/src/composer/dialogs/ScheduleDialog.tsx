import type { NewMessage } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { useState } from "react";
import { formatDay, formatTime, useTexts } from "../../i18n/index.ts";
import { fromLocal, soon, toLocal } from "../../messages/dialogs/times.ts";
import { Button, Choice, Dialog, TextField, toast, toastError } from "../../ui/index.ts";
import { texts } from "../texts.ts";

type When = "in1h" | "tomorrow" | "monday" | "at";

/** Have what is written sent later. */
export function ScheduleDialog(props: {
  conversation: string;
  content(): NewMessage;
  onClose(): void;
  onScheduled(): void;
}) {
  const t = useTexts(texts);
  const chat = useChat();
  const { conversation } = props;
  const [when, setWhen] = useState<When>("tomorrow");
  const [at, setAt] = useState(() => toLocal(soon(Date.now() / 1000).in3h));
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const schedule = async () => {
    const time = when === "at" ? fromLocal(at) : soon(Date.now() / 1000)[when];
    if (time === undefined || time * 1000 <= Date.now()) {
      setError(t("past"));
      return;
    }
    const {
      text,
      format,
      parts = [],
      replyTo,
      thread,
      mentions,
      silent,
      expires,
      previews,
    } = props.content();
    setBusy(true);
    try {
      await chat.call("scheduled.create", {
        conversation,
        at: time,
        parts: [...(text === undefined ? [] : [{ type: "text" as const, text, format }]), ...parts],
        reply_to: replyTo,
        thread,
        mentions,
        silent,
        expires_in: expires,
        previews,
      });
      chat.setDraft(conversation, undefined, thread);
      toast(t("scheduled", { when: `${formatDay(time)}, ${formatTime(time)}` }), { tone: "success" });
      props.onScheduled();
      props.onClose();
    } catch (problem) {
      toastError(problem);
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={t("scheduleTitle")}
      size="s"
      onSubmit={() => void schedule()}
      footer={
        <>
          <Button onClick={props.onClose}>{t("cancel")}</Button>
          <Button tone="primary" type="submit" busy={busy}>
            {t("scheduleSend")}
          </Button>
        </>
      }
    >
      <Choice<When>
        label={t("scheduleTitle")}
        hideLabel
        value={when}
        onChange={setWhen}
        options={[
          { value: "in1h", label: t("inAnHour") },
          { value: "tomorrow", label: t("tomorrow") },
          { value: "monday", label: t("monday") },
          { value: "at", label: t("anotherTime") },
        ]}
      />
      {when === "at" && (
        <TextField
          label={t("anotherTime")}
          type="datetime-local"
          value={at}
          onChange={(value) => {
            setAt(value);
            setError(undefined);
          }}
          error={error}
        />
      )}
    </Dialog>
  );
}
