import type { Message } from "hubbub/chat";
import { useChat, useUser } from "hubbub/react";
import { useEffect, useState } from "react";
import { gist } from "../conversations/look.ts";
import { useTexts } from "../i18n/index.ts";
import { fetched } from "../messages/fetched.ts";
import { Icon, IconButton } from "../ui/index.ts";
import styles from "./Composer.module.css";
import { texts } from "./texts.ts";

/** What is being answered. */
export function ReplyBanner(props: { conversation: string; seq: number; onCancel(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const { conversation, seq, onCancel } = props;
  const [message, setMessage] = useState<Message | null>();
  useEffect(() => {
    let wanted = true;
    void fetched(chat, conversation, seq).then((found) => wanted && setMessage(found));
    return () => {
      wanted = false;
    };
  }, [chat, conversation, seq]);
  const user = useUser(message?.sender);
  return (
    <div className={styles.reply}>
      <Icon name="reply" size={15} />
      <span className={styles.replyName}>
        {t("replyingTo", { name: user?.name || message?.sender || "…" })}
      </span>
      <span className={styles.replyText} dir="auto">
        {message == null ? "" : gist(message)}
      </span>
      <IconButton icon="close" size="s" label={t("cancelReply")} keys="Escape" onClick={onCancel} />
    </div>
  );
}
