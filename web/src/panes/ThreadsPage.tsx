import type { ThreadState } from "hubbub/chat";
import { useChat, useChatState, useView } from "hubbub/react";
import { PageHeader } from "../app/PageHeader.tsx";
import { href } from "../app/routes.ts";
import { formatRelative, useTexts } from "../i18n/index.ts";
import { Badge, EmptyState, IconButton, Spinner, toastError } from "../ui/index.ts";
import { MessageCard } from "./MessageCard.tsx";
import styles from "./panes.module.css";
import { texts } from "./texts.ts";

/** Threads that one follows: those with something new first. */
export function ThreadsPage() {
  const t = useTexts(texts);
  const threads = useView(useChat().threads);
  const { status } = useChatState();
  return (
    <>
      <PageHeader title={t("threads")} hint={t("threadsHint")} />
      <div className={styles.body}>
        <div className={styles.page}>
          {threads.length === 0 && status !== "live" && <Spinner label={t("loading")} />}
          {threads.length === 0 && status === "live" && (
            <EmptyState icon="thread" title={t("threadsNone")}>
              {t("threadsNoneHint")}
            </EmptyState>
          )}
          <ul className={styles.list} aria-label={t("threads")}>
            {threads.map((thread) => (
              <li key={`${thread.conversation} ${thread.root.seq}`}>
                <ThreadRow thread={thread} />
              </li>
            ))}
          </ul>
        </div>
      </div>
    </>
  );
}

function ThreadRow({ thread }: { thread: ThreadState }) {
  const t = useTexts(texts);
  const chat = useChat();
  const { conversation, root, unread } = thread;
  const pane = { kind: "thread", root: root.seq } as const;
  const last = root.last_reply;
  return (
    <MessageCard
      message={root}
      where
      note={
        <p className={styles.cardHead}>
          {unread > 0 && <Badge tone="accent">{t("unreadReplies", { count: unread })}</Badge>}
          <a href={href({ view: "conversation", conversation, pane })}>
            {t("replies", { count: root.replies ?? 0 })}
          </a>
          {last !== undefined && last > 0 && (
            <span className={styles.soft}>{t("lastReply", { when: formatRelative(last) })}</span>
          )}
        </p>
      }
      actions={
        <IconButton
          icon="bellOff"
          size="s"
          label={t("unfollow")}
          onClick={() =>
            void chat.call("threads.unfollow", { conversation, thread: root.seq }).catch(toastError)
          }
        />
      }
    />
  );
}
