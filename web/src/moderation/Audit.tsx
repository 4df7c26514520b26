import type { Audited } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { useEffect, useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { PagedList } from "../panes/PagedList.tsx";
import { usePaged } from "../panes/paged.ts";
import { EmptyState, TextField } from "../ui/index.ts";
import styles from "./moderation.module.css";
import { Name, Place, when } from "./names.tsx";
import { texts } from "./texts.ts";

/** What was done by privilege, the newest first. */
export default function Audit() {
  const t = useTexts(texts);
  const chat = useChat();
  const [written, setWritten] = useState({ actor: "", act: "", user: "" });
  const [filter, setFilter] = useState(written);
  useEffect(() => {
    const timer = setTimeout(() => setFilter(written), 300);
    return () => clearTimeout(timer);
  }, [written]);
  const list = usePaged<Audited>(JSON.stringify(filter), (cursor) => {
    const given = Object.entries(filter).filter(([, value]) => value.trim() !== "");
    return chat
      .call("audit.list", { ...Object.fromEntries(given), cursor })
      .then(({ acts, next }) => ({ items: acts, next }));
  });
  const field = (name: keyof typeof written, label: string, hint?: string) => (
    <TextField
      label={label}
      {...(hint === undefined ? {} : { placeholder: hint })}
      value={written[name]}
      onChange={(value) => setWritten({ ...written, [name]: value })}
    />
  );
  return (
    <>
      <div className={styles.filters}>
        {field("act", t("act"), t("actHint"))}
        {field("actor", t("actor"))}
        {field("user", t("user"))}
      </div>
      <PagedList
        list={list}
        label={t("audit")}
        keyOf={(each) => each.id}
        empty={<EmptyState icon="list" title={t("auditNone")} />}
      >
        {(each) => (
          <div className={styles.row}>
            <span className={styles.grow}>
              <strong>{each.act}</strong> <Name user={each.actor} />
              {each.user !== undefined && (
                <>
                  {" → "}
                  <Name user={each.user} />
                </>
              )}
              {each.conversation !== undefined && (
                <>
                  {" · "}
                  <Place conversation={each.conversation} />
                </>
              )}
              {each.data !== null && JSON.stringify(each.data) !== "{}" && (
                <pre className={styles.pre}>{JSON.stringify(each.data)}</pre>
              )}
            </span>
            <time className={styles.soft}>{when(each.time)}</time>
          </div>
        )}
      </PagedList>
    </>
  );
}
