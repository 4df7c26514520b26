import type { FilePart, Message } from "hubbub/chat";
import { useChat, useConversation } from "hubbub/react";
import { useState } from "react";
import { PaneHeader } from "../app/PageHeader.tsx";
import { useNames, useTitle } from "../conversations/names.ts";
import { formatRelative, formatSize, useTexts } from "../i18n/index.ts";
import { useFileUrl } from "../messages/useFileUrl.ts";
import { Choice, EmptyState, Icon, IconButton, toastError } from "../ui/index.ts";
import { PagedList } from "./PagedList.tsx";
import { usePaged } from "./paged.ts";
import styles from "./panes.module.css";
import { hrefTo } from "./places.ts";
import { texts } from "./texts.ts";

interface Found {
  readonly part: FilePart;
  readonly message: Message;
}

const ENOUGH = 20; // files of a page
const PAGES = 5; // of messages, that are looked through for it
type Kind = "all" | "images";

/** Files of a conversation, the newest first: what its messages have, as far back as one looks. */
export default function FilesPane({ conversation, onClose }: { conversation: string; onClose(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const view = useConversation(conversation);
  const [kind, setKind] = useState<Kind>("all");
  const list = usePaged<Found>(`${conversation} ${kind}`, async (cursor) => {
    const items: Found[] = [];
    let before = cursor === undefined ? undefined : Number(cursor);
    for (let page = 0; page < PAGES && items.length < ENOUGH; page++) {
      const { messages, more_before: more = false } = await chat.call("messages.list", {
        conversation,
        limit: 100,
        ...(before === undefined ? {} : { before }),
      });
      for (const message of [...messages].reverse()) {
        for (const part of message.parts ?? []) {
          if (part.type !== "file") continue;
          if (kind === "images" && part.media_type?.startsWith("image/") !== true) continue;
          items.push({ part, message });
        }
      }
      before = messages[0]?.seq;
      if (!more || before === undefined) return { items };
    }
    return { items, next: String(before) };
  });
  const names = useNames((list.items ?? []).flatMap((each) => each.message.sender ?? []));

  return (
    <>
      <PaneHeader title={t("files")} hint={useTitle(view)} onClose={onClose} />
      <div className={styles.tools}>
        <Choice<Kind>
          label={t("files")}
          hideLabel
          value={kind}
          onChange={setKind}
          options={[
            { value: "all", label: t("filesAll"), icon: "file" },
            { value: "images", label: t("filesImages"), icon: "image" },
          ]}
        />
      </div>
      <div className={styles.body}>
        <PagedList
          list={list}
          label={t("files")}
          keyOf={({ part, message }) => `${message.seq} ${part.file}`}
          empty={
            <EmptyState icon="file" title={t("filesNone")}>
              {t("filesHint")}
            </EmptyState>
          }
        >
          {({ part, message }) => (
            <FileRow part={part} message={message} by={names(message.sender ?? "") ?? message.sender ?? ""} />
          )}
        </PagedList>
      </div>
    </>
  );
}

function FileRow({ part, message, by }: Found & { by: string }) {
  const t = useTexts(texts);
  const chat = useChat();
  const image = part.media_type?.startsWith("image/") === true && (part.thumbnails?.length ?? 0) > 0;
  const url = useFileUrl(image ? part.file : undefined, 0);
  const name = part.name ?? part.file;

  async function download() {
    try {
      const link = document.createElement("a");
      link.href = await chat.fileUrl(part.file, { download: true });
      link.download = name;
      link.click();
    } catch (error) {
      toastError(error);
    }
  }
  return (
    <div className={styles.file}>
      <span className={styles.thumb}>
        {url ? <img src={url} alt="" loading="lazy" /> : <Icon name={image ? "image" : "file"} />}
      </span>
      <span className={styles.personTexts}>
        <a className={styles.name} href={hrefTo(message)} dir="auto">
          {name}
        </a>
        <span className={styles.soft}>
          {part.size === undefined ? "" : `${formatSize(part.size)} · `}
          {t("by2", { name: by, when: formatRelative(message.created) })}
        </span>
      </span>
      <IconButton icon="download" size="s" label={t("download", { name })} onClick={() => void download()} />
    </div>
  );
}
