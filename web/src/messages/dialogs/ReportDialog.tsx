import type { MessageItem, Params } from "hubbub/chat";
import { useState } from "react";
import { gist } from "../../conversations/look.ts";
import { useTexts } from "../../i18n/index.ts";
import { Button, Dialog, Select, TextArea, toast, toastError } from "../../ui/index.ts";
import { useRoom } from "../room.ts";
import { texts } from "../texts.ts";
import styles from "./dialogs.module.css";

type Reason = Params<"reports.create">["reason"];
const REASONS = [
  "spam",
  "abuse",
  "hate",
  "violence",
  "sexual",
  "self_harm",
  "illegal",
  "impersonation",
  "other",
] as const satisfies readonly Reason[];

/** Have moderators look at a message. */
export default function ReportDialog({ item, onClose }: { item: MessageItem; onClose(): void }) {
  const t = useTexts(texts);
  const { chat, conversation } = useRoom();
  const [reason, setReason] = useState<Reason>("spam");
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);
  const report = async () => {
    setBusy(true);
    try {
      const message = item.message.seq;
      await chat.call("reports.create", { conversation, message, reason, ...(note && { note }) });
      toast(t("reportDone"), { tone: "success" });
      onClose();
    } catch (error) {
      toastError(error);
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("reportTitle")}
      onSubmit={() => void report()}
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button tone="danger" type="submit" busy={busy}>
            {t("reportSend")}
          </Button>
        </>
      }
    >
      <p className={styles.gist} dir="auto">
        {gist(item.message)}
      </p>
      <Select<Reason>
        label={t("reportReason")}
        value={reason}
        onChange={setReason}
        options={REASONS.map((value) => ({ value, label: t(value) }))}
      />
      <TextArea
        label={t("reportNote")}
        hint={t("reportHint")}
        value={note}
        onChange={setNote}
        maxLength={1000}
      />
    </Dialog>
  );
}
