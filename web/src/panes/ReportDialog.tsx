import type { CreateReport } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { Button, Dialog, Select, TextArea, toast, toastError } from "../ui/index.ts";
import { texts } from "./texts.ts";

type Reason = CreateReport["reason"];
const REASONS: readonly Reason[] = [
  "spam",
  "abuse",
  "hate",
  "violence",
  "sexual",
  "self_harm",
  "illegal",
  "impersonation",
  "other",
];

/** Has moderators look at a user. */
export function ReportDialog({ user, name, onClose }: { user: string; name: string; onClose(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const [reason, setReason] = useState<Reason>("spam");
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);

  async function report() {
    setBusy(true);
    try {
      await chat.call("reports.create", {
        user,
        reason,
        ...(note.trim() === "" ? {} : { note: note.trim() }),
      });
      toast(t("reported"), { tone: "success" });
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
      title={t("reportTitle", { name })}
      onSubmit={() => void report()}
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button tone="primary" type="submit" busy={busy}>
            {t("report")}
          </Button>
        </>
      }
    >
      <p>{t("reportHint")}</p>
      <Select<Reason>
        label={t("reason")}
        value={reason}
        onChange={setReason}
        options={REASONS.map((value) => ({ value, label: t(value) }))}
      />
      <TextArea label={t("note")} hint={t("noteHint")} value={note} onChange={setNote} />
    </Dialog>
  );
}
