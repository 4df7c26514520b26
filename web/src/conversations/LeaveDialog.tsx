import type { ConversationView } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { ConfirmDialog, toastError } from "../ui/index.ts";
import { leave } from "./actions.ts";
import { useTitle } from "./names.ts";
import { texts } from "./texts.ts";

/** Asks whether to leave. */
export default function LeaveDialog({ view, onClose }: { view: ConversationView; onClose(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const name = useTitle(view);
  const [busy, setBusy] = useState(false);

  async function confirm() {
    setBusy(true);
    await leave(chat, view.conversation.id).catch(toastError);
    setBusy(false);
    onClose();
  }
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={t("leaveTitle", { name })}
      confirm={t("leave")}
      danger
      busy={busy}
      onConfirm={() => void confirm()}
    >
      <p>{t("leaveText")}</p>
    </ConfirmDialog>
  );
}
