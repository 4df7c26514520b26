import { useChat, useConversation, useView } from "hubbub/react";
import { useState } from "react";
import { PaneHeader } from "../app/PageHeader.tsx";
import { Composer } from "../composer/Composer.tsx";
import { useTitle } from "../conversations/names.ts";
import { useTexts } from "../i18n/index.ts";
import { Messages } from "../messages/Messages.tsx";
import { IconButton, toastError } from "../ui/index.ts";
import styles from "./panes.module.css";
import { texts } from "./texts.ts";

/** A message and its replies. */
export function ThreadPane(props: {
  conversation: string;
  root: number;
  message: number | undefined;
  onClose(): void;
}) {
  const t = useTexts(texts);
  const { conversation, root, message } = props;
  const title = useTitle(useConversation(conversation));
  return (
    <div className={styles.thread}>
      <PaneHeader title={t("thread")} hint={title} onClose={props.onClose}>
        <Follow conversation={conversation} root={root} />
      </PaneHeader>
      <Messages
        conversation={conversation}
        thread={root}
        {...(message === undefined ? {} : { jump: message })}
      />
      <Composer conversation={conversation} thread={root} />
    </div>
  );
}

function Follow({ conversation, root }: { conversation: string; root: number }) {
  const t = useTexts(texts);
  const chat = useChat();
  const threads = useView(chat.threads);
  const [busy, setBusy] = useState(false);
  const following = threads.some((each) => each.conversation === conversation && each.root.seq === root);
  async function turn() {
    setBusy(true);
    const operation = following ? "threads.unfollow" : "threads.follow";
    await chat.call(operation, { conversation, thread: root }).catch(toastError);
    setBusy(false);
  }
  return (
    <IconButton
      icon={following ? "bell" : "bellOff"}
      label={following ? t("unfollow") : t("follow")}
      aria-pressed={following}
      disabled={busy}
      onClick={() => void turn()}
    />
  );
}
