import type { Scheduled, ShownDraft } from "hubbub/chat";
import { useChat, useConversation, useView } from "hubbub/react";
import { useState } from "react";
import { PageHeader } from "../app/PageHeader.tsx";
import { go } from "../app/router.ts";
import { gistOfPart } from "../conversations/look.ts";
import { useMyId } from "../conversations/names.ts";
import { formatDay, formatTime, useTexts } from "../i18n/index.ts";
import {
  Button,
  ConfirmDialog,
  CountBadge,
  EmptyState,
  Icon,
  MenuButton,
  Tabs,
  toast,
  toastError,
} from "../ui/index.ts";
import styles from "./panes.module.css";
import { nameOf } from "./places.ts";
import { ScheduledDialog } from "./ScheduledDialog.tsx";
import { texts } from "./texts.ts";

type Shown = "scheduled" | "drafts";

/** What is sent later, and what is not finished. */
export default function ScheduledPage() {
  const t = useTexts(texts);
  const chat = useChat();
  const scheduled = useView(chat.scheduled);
  const drafts = useView(chat.drafts);
  const [shown, setShown] = useState<Shown>("scheduled");
  const label = (key: Shown, count: number) => (
    <>
      {t(key)} <CountBadge count={count} label={String(count)} tone="quiet" />
    </>
  );
  return (
    <>
      <PageHeader title={t("scheduledTitle")} />
      <Tabs<Shown>
        label={t("scheduledTitle")}
        selected={shown}
        onSelect={setShown}
        tabs={[
          { key: "scheduled", label: label("scheduled", scheduled.length) },
          { key: "drafts", label: label("drafts", drafts.length) },
        ]}
      >
        <div className={styles.body}>
          <div className={styles.page}>
            {shown === "scheduled" && scheduled.length === 0 && (
              <EmptyState icon="clock" title={t("scheduledNone")}>
                {t("scheduledNoneHint")}
              </EmptyState>
            )}
            {shown === "drafts" && drafts.length === 0 && (
              <EmptyState icon="edit" title={t("draftsNone")}>
                {t("draftsNoneHint")}
              </EmptyState>
            )}
            <ul className={styles.list} aria-label={t(shown)}>
              {shown === "scheduled"
                ? scheduled.map((each) => <ScheduledRow key={each.id} scheduled={each} />)
                : drafts.map((each) => (
                    <DraftRow key={`${each.conversation} ${each.thread ?? ""}`} draft={each} />
                  ))}
            </ul>
          </div>
        </div>
      </Tabs>
    </>
  );
}

const said = (parts: Scheduled["parts"] | undefined): string =>
  (parts ?? [])
    .map(gistOfPart)
    .filter((each) => each !== "")
    .join(" · ");

function ScheduledRow({ scheduled }: { scheduled: Scheduled }) {
  const t = useTexts(texts);
  const chat = useChat();
  const view = useConversation(scheduled.conversation);
  const me = useMyId();
  const [dialog, setDialog] = useState<"edit" | "cancel">();
  const [busy, setBusy] = useState(false);
  const close = () => setDialog(undefined);

  async function act(operation: "scheduled.send_now" | "scheduled.cancel") {
    setBusy(true);
    try {
      await chat.call(operation, { scheduled: scheduled.id });
      if (operation === "scheduled.send_now") toast(t("sentNow"), { tone: "success" });
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
      close();
    }
  }
  return (
    <li className={styles.card}>
      <Icon name="clock" />
      <div className={styles.cardTexts}>
        <p className={styles.cardHead}>
          <strong dir="auto">{nameOf(view, scheduled.conversation, me)}</strong>
          {scheduled.thread !== undefined && <span className={styles.soft}>{t("inThread")}</span>}
          <time className={styles.soft} dateTime={new Date(scheduled.at * 1000).toISOString()}>
            {t("at", { day: formatDay(scheduled.at), time: formatTime(scheduled.at) })}
          </time>
          {scheduled.silent === true && <span className={styles.soft}>{t("silent")}</span>}
        </p>
        <p dir="auto">{said(scheduled.parts)}</p>
        {scheduled.failed !== undefined && (
          <p className={styles.failure}>{t("notSent", { reason: scheduled.failed.message })}</p>
        )}
      </div>
      <Button size="s" icon="send" busy={busy} onClick={() => void act("scheduled.send_now")}>
        {t("sendNow")}
      </Button>
      <MenuButton
        size="s"
        label={t("more")}
        items={[
          { label: t("edit"), icon: "edit", onSelect: () => setDialog("edit") },
          { label: t("cancelScheduled"), icon: "trash", danger: true, onSelect: () => setDialog("cancel") },
        ]}
      />
      {dialog === "edit" && <ScheduledDialog scheduled={scheduled} onClose={close} />}
      <ConfirmDialog
        open={dialog === "cancel"}
        onClose={close}
        title={t("cancelTitle")}
        confirm={t("cancelScheduled")}
        danger
        busy={busy}
        onConfirm={() => void act("scheduled.cancel")}
      >
        <p>{t("cancelText")}</p>
      </ConfirmDialog>
    </li>
  );
}

function DraftRow({ draft }: { draft: ShownDraft }) {
  const t = useTexts(texts);
  const chat = useChat();
  const view = useConversation(draft.conversation);
  const me = useMyId();
  const { conversation, thread } = draft;
  return (
    <li className={styles.card}>
      <Icon name="edit" />
      <div className={styles.cardTexts}>
        <p className={styles.cardHead}>
          <strong dir="auto">{nameOf(view, conversation, me)}</strong>
          {thread !== undefined && <span className={styles.soft}>{t("inThread")}</span>}
          <time className={styles.soft} dateTime={new Date(draft.updated * 1000).toISOString()}>
            {t("at", { day: formatDay(draft.updated), time: formatTime(draft.updated) })}
          </time>
        </p>
        <p dir="auto">{said(draft.parts as Scheduled["parts"] | undefined)}</p>
      </div>
      <Button
        size="s"
        onClick={() =>
          go({
            view: "conversation",
            conversation,
            ...(thread === undefined ? {} : { pane: { kind: "thread", root: thread } as const }),
          })
        }
      >
        {t("goOn")}
      </Button>
      <MenuButton
        size="s"
        label={t("more")}
        items={[
          {
            label: t("removeDraft"),
            icon: "trash",
            danger: true,
            onSelect: () => chat.setDraft(conversation, null, thread),
          },
        ]}
      />
    </li>
  );
}
