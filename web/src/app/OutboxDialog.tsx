import type { OutboxEntry } from "hubbub";
import { useConversation, useOutbox } from "hubbub/react";
import { gistOfPart } from "../conversations/look.ts";
import { useTitle } from "../conversations/names.ts";
import { useTexts } from "../i18n/index.ts";
import { Badge, Button, Dialog } from "../ui/index.ts";
import styles from "./OutboxDialog.module.css";
import { gistOfEntry } from "./outbox.ts";
import { texts } from "./texts.ts";

/** What was written and is not with the server: to be tried again, or thrown away. */
export default function OutboxDialog({ onClose }: { onClose(): void }) {
  const t = useTexts(texts);
  const { entries } = useOutbox();
  return (
    <Dialog open onClose={onClose} title={t("outbox")}>
      <ul className={styles.list}>
        {entries.map((entry) => (
          <Entry key={entry.id} entry={entry} />
        ))}
      </ul>
    </Dialog>
  );
}

function Entry({ entry }: { entry: OutboxEntry }) {
  const t = useTexts(texts);
  const { retry, discard } = useOutbox();
  const { conversation, parts } = gistOfEntry(entry);
  const title = useTitle(useConversation(conversation));
  const text = parts.map(gistOfPart).find((each) => each !== "") ?? entry.method;
  const state = { queued: t("outboxQueued"), sending: t("outboxSending"), failed: t("outboxFailed") }[
    entry.state
  ];
  return (
    <li className={styles.entry}>
      <div className={styles.texts}>
        <p className={styles.words}>{text}</p>
        <p className={styles.about}>
          {title} <Badge tone={entry.state === "failed" ? "danger" : "quiet"}>{state}</Badge>
        </p>
        {entry.error !== undefined && <p className={styles.error}>{entry.error.message}</p>}
      </div>
      {entry.state === "failed" && (
        <Button size="s" icon="refresh" onClick={() => retry(entry.id)}>
          {t("retry")}
        </Button>
      )}
      <Button size="s" icon="trash" disabled={entry.state === "sending"} onClick={() => discard(entry.id)}>
        {t("discard")}
      </Button>
    </li>
  );
}
