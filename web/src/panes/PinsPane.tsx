import { allowed } from "hubbub/chat";
import { useChat, useConversation, useView } from "hubbub/react";
import { useMemo } from "react";
import { PaneHeader } from "../app/PageHeader.tsx";
import { useNames, useTitle } from "../conversations/names.ts";
import { useTexts } from "../i18n/index.ts";
import { EmptyState, IconButton, toast, toastError } from "../ui/index.ts";
import { MessageCard } from "./MessageCard.tsx";
import styles from "./panes.module.css";
import { texts } from "./texts.ts";

/** What is pinned, the last pinned first. */
export default function PinsPane({ conversation, onClose }: { conversation: string; onClose(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const view = useConversation(conversation);
  const pins = useView(useMemo(() => chat.pins(conversation), [chat, conversation]));
  const names = useNames(pins.flatMap((each) => each.annotations?.pin?.by ?? []));
  const may = view !== undefined && allowed(view, "pin");

  async function unpin(message: number) {
    try {
      await chat.unpin(conversation, message);
      toast(t("removed"), {
        action: { label: t("undo"), run: () => void chat.pin(conversation, message).catch(toastError) },
      });
    } catch (error) {
      toastError(error);
    }
  }

  return (
    <>
      <PaneHeader title={t("pins")} hint={useTitle(view)} onClose={onClose} />
      <div className={styles.body}>
        {pins.length === 0 ? (
          <EmptyState icon="pin" title={t("pinsNone")}>
            {t("pinsHint")}
          </EmptyState>
        ) : (
          <ul className={styles.list} aria-label={t("pins")}>
            {pins.map((message) => {
              const by = message.annotations?.pin?.by;
              return (
                <li key={message.seq}>
                  <MessageCard
                    message={message}
                    note={by && <p className={styles.soft}>{t("pinnedBy", { name: names(by) ?? by })}</p>}
                    actions={
                      may && (
                        <IconButton
                          icon="close"
                          size="s"
                          label={t("unpin")}
                          onClick={() => void unpin(message.seq)}
                        />
                      )
                    }
                  />
                </li>
              );
            })}
          </ul>
        )}
      </div>
    </>
  );
}
