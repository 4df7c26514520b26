import type { Message } from "hubbub/chat";
import { useUser } from "hubbub/react";
import { useEffect, useState } from "react";
import { gist } from "../conversations/look.ts";
import { useTexts } from "../i18n/index.ts";
import { Icon } from "../ui/index.ts";
import { fetched } from "./fetched.ts";
import styles from "./Quote.module.css";
import { useRoom } from "./room.ts";
import { texts } from "./texts.ts";

/** The message that another one answers; a click goes there. */
export function Quote({ seq }: { seq: number }) {
  const t = useTexts(texts);
  const { jumpTo } = useRoom();
  const message = useMessage(seq);
  const user = useUser(message?.sender);
  if (message === null) {
    return (
      <p className={styles.quote}>
        <Icon name="reply" size={13} /> <span className={styles.text}>{t("replyGone")}</span>
      </p>
    );
  }
  const name = user?.name || message?.sender || t("server");
  return (
    <button type="button" className={styles.quote} onClick={() => jumpTo(seq)}>
      <Icon name="reply" size={13} />
      <span className="visually-hidden">{`${t("replyTo", { name })}: `}</span>
      <span className={styles.name} aria-hidden="true">
        {message === undefined ? "…" : name}
      </span>
      <span className={styles.text} dir="auto">
        {message === undefined ? "" : gist(message)}
      </span>
    </button>
  );
}

/** A message of this conversation by its seq; null where there is none. */
export function useMessage(seq: number | undefined): Message | null | undefined {
  const { chat, conversation, find } = useRoom();
  const here = seq === undefined ? undefined : find(seq);
  const [found, setFound] = useState<{ seq: number; message: Message | null }>();
  const known = here !== undefined;
  useEffect(() => {
    if (seq === undefined || known) return;
    let wanted = true;
    void fetched(chat, conversation, seq).then((message) => wanted && setFound({ seq, message }));
    return () => {
      wanted = false;
    };
  }, [chat, conversation, seq, known]);
  return here ?? (found !== undefined && found.seq === seq ? found.message : undefined);
}
