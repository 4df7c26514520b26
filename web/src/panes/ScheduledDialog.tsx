import type { Scheduled, TextPart } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { Button, Dialog, Switch, TextArea, toastError } from "../ui/index.ts";
import { texts } from "./texts.ts";
import { fieldOf, timeOf, WhenField } from "./WhenField.tsx";

/** Changes what is to be sent, and when. */
export function ScheduledDialog({ scheduled, onClose }: { scheduled: Scheduled; onClose(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const old = scheduled.parts.find((part): part is TextPart => part.type === "text");
  const [text, setText] = useState(old?.text ?? "");
  const [when, setWhen] = useState(fieldOf(scheduled.at));
  const [silent, setSilent] = useState(scheduled.silent === true);
  const [busy, setBusy] = useState(false);
  const at = timeOf(when);
  const late = at === undefined || at < Date.now() / 1000;
  const empty = text.trim() === "" && scheduled.parts.every((part) => part === old);

  async function save() {
    if (late || empty) return;
    setBusy(true);
    const others = scheduled.parts.filter((part) => part !== old);
    const words: TextPart[] = text.trim() === "" ? [] : [{ ...old, type: "text", text }];
    try {
      await chat.call("scheduled.update", {
        scheduled: scheduled.id,
        ...(fieldOf(scheduled.at) === when ? {} : { at }),
        ...(text === (old?.text ?? "") ? {} : { parts: [...words, ...others] }),
        ...(silent === (scheduled.silent === true) ? {} : { silent }),
      });
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
      title={t("edit")}
      onSubmit={() => void save()}
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button tone="primary" type="submit" busy={busy} disabled={late || empty}>
            {t("save")}
          </Button>
        </>
      }
    >
      <TextArea label={t("text")} value={text} onChange={setText} rows={5} />
      <WhenField value={when} onChange={setWhen} />
      <Switch label={t("silent")} checked={silent} onChange={setSilent} />
    </Dialog>
  );
}
