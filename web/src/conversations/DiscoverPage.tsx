import type { MyConversation } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { useCallback, useEffect, useRef, useState } from "react";
import { PageHeader } from "../app/PageHeader.tsx";
import { go } from "../app/router.ts";
import { useTexts } from "../i18n/index.ts";
import { Avatar, Button, EmptyState, Spinner, TextField, toastError } from "../ui/index.ts";
import { join } from "./actions.ts";
import styles from "./DiscoverPage.module.css";
import { gist } from "./look.ts";
import { texts } from "./texts.ts";

interface Found {
  readonly topics: readonly MyConversation[];
  readonly next: string | undefined;
}

/** Topics that anybody may read and join. */
export default function DiscoverPage() {
  const t = useTexts(texts);
  const chat = useChat();
  const [query, setQuery] = useState("");
  const [found, setFound] = useState<Found | null>(null);
  const asked = useRef(0);

  const ask = useCallback(
    async (text: string, cursor?: string) => {
      const turn = ++asked.current;
      const answer = await chat.call("conversations.discover", {
        ...(text === "" ? {} : { query: text }),
        ...(cursor === undefined ? {} : { cursor }),
      });
      if (turn !== asked.current) return;
      setFound((before) => ({
        topics: [...(cursor === undefined ? [] : (before?.topics ?? [])), ...answer.conversations],
        next: answer.next,
      }));
    },
    [chat],
  );
  useEffect(() => {
    const timer = setTimeout(() => void ask(query.trim()).catch(toastError), query === "" ? 0 : 200);
    return () => clearTimeout(timer);
  }, [ask, query]);

  return (
    <>
      <PageHeader title={t("discoverTitle")} hint={t("discoverHint")} />
      <div className={styles.page}>
        <TextField
          label={t("discoverSearch")}
          hideLabel
          placeholder={t("discoverSearch")}
          type="search"
          icon="search"
          clearable
          value={query}
          onChange={setQuery}
        />
        {found === null && <Spinner label={t("loading")} />}
        {found?.topics.length === 0 && (
          <EmptyState
            icon="hash"
            title={query === "" ? t("discoverNone") : t("noMatch", { filter: query })}
          />
        )}
        <ul className={styles.list}>
          {found?.topics.map((topic) => (
            <Topic key={topic.conversation.id} topic={topic} />
          ))}
        </ul>
        {found?.next !== undefined && (
          <Button onClick={() => void ask(query.trim(), found.next).catch(toastError)}>
            {t("discoverMore")}
          </Button>
        )}
      </div>
    </>
  );
}

function Topic({ topic }: { topic: MyConversation }) {
  const t = useTexts(texts);
  const chat = useChat();
  const [busy, setBusy] = useState(false);
  const { conversation, membership, last_message: last } = topic;
  const joined = membership.state === "joined";
  const name = conversation.name || t("unnamed");
  return (
    <li className={styles.topic}>
      <Avatar id={conversation.id} name={name} src={conversation.avatar} icon="hash" square size={40} />
      <div className={styles.texts}>
        <h3 className={styles.name}>{name}</h3>
        <p className={styles.about}>{conversation.topic ?? (last === undefined ? "" : gist(last))}</p>
        <p className={styles.about}>{t("members", { count: conversation.members ?? 0 })}</p>
      </div>
      <Button onClick={() => go({ view: "conversation", conversation: conversation.id })}>{t("open")}</Button>
      {!joined && (
        <Button
          tone="primary"
          busy={busy}
          onClick={() => {
            setBusy(true);
            join(chat, conversation.id).catch((error: unknown) => {
              setBusy(false);
              toastError(error);
            });
          }}
        >
          {t("join")}
        </Button>
      )}
    </li>
  );
}
