import type { FilePart, Message, SearchMark } from "hubbub/chat";
import { useConversation, useUser } from "hubbub/react";
import type { ReactNode } from "react";
import { gist } from "../conversations/look.ts";
import { useMyId } from "../conversations/names.ts";
import { formatDay, formatTime, useTexts } from "../i18n/index.ts";
import { Avatar, Icon } from "../ui/index.ts";
import styles from "./panes.module.css";
import { hrefTo, nameOf } from "./places.ts";
import { texts } from "./texts.ts";

/** A message outside of its conversation: who, when, where, and what it says in short. It leads to its place. */
export function MessageCard(props: {
  message: Message;
  /** Say in which conversation it is. */
  where?: boolean;
  /** Instead of the beginning of what it says, with what was found in it. */
  snippet?: string | undefined;
  marks?: readonly SearchMark[] | undefined;
  /** Below. */
  note?: ReactNode;
  /** Beside the head: buttons. */
  actions?: ReactNode;
}) {
  const t = useTexts(texts);
  const { message, where = false } = props;
  const sender = useUser(message.sender);
  const view = useConversation(where ? message.conversation : undefined);
  const me = useMyId();
  const name = sender?.name || message.sender || t("server");
  const files = (message.parts ?? []).filter((part): part is FilePart => part.type === "file");
  const said = props.snippet === undefined || props.snippet === "" ? gist(message) : undefined;
  return (
    <article className={styles.card} aria-label={t("by", { name })}>
      <Avatar id={message.sender ?? "server"} name={name} src={sender?.avatar} size={28} />
      <div className={styles.cardTexts}>
        <p className={styles.cardHead}>
          <strong dir="auto">{name}</strong>
          {where && (
            <span className={styles.soft}>
              {t("inPlace", { name: nameOf(view, message.conversation, me) })}
            </span>
          )}
          {message.thread !== undefined && <span className={styles.soft}>{t("inThread")}</span>}
          <time className={styles.soft} dateTime={new Date(message.created * 1000).toISOString()}>
            {formatDay(message.created)}, {formatTime(message.created)}
          </time>
        </p>
        <a className={styles.cardText} href={hrefTo(message)} dir="auto">
          {said ?? <Marked text={props.snippet ?? ""} marks={props.marks ?? []} />}
          {said === "" && <span className={styles.soft}>{t("somethingElse")}</span>}
        </a>
        {files.length > 0 && (
          <p className={styles.cardFiles}>
            {files.map((file) => (
              <span key={file.file} className={styles.cardFile}>
                <Icon name={file.media_type?.startsWith("image/") === true ? "image" : "file"} size={14} />
                {file.name ?? file.file}
              </span>
            ))}
          </p>
        )}
        {props.note}
      </div>
      {props.actions !== undefined && <div className={styles.cardActions}>{props.actions}</div>}
    </article>
  );
}

/** Text with places marked that are counted in code points. */
export function Marked({ text, marks }: { text: string; marks: readonly SearchMark[] }) {
  const points = Array.from(text);
  const pieces: ReactNode[] = [];
  let at = 0;
  for (const { start, end } of marks) {
    if (start < at) continue;
    pieces.push(
      points.slice(at, start).join(""),
      <mark key={start}>{points.slice(start, end).join("")}</mark>,
    );
    at = end;
  }
  return (
    <>
      {pieces}
      {points.slice(at).join("")}
    </>
  );
}
