import type { Rule, Ruleset, Tried } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { type FormEvent, useCallback, useEffect, useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { Marked } from "../panes/MessageCard.tsx";
import { PagedList } from "../panes/PagedList.tsx";
import { usePaged } from "../panes/paged.ts";
import { Badge, Button, Choice, Skeleton, TextField, toast, toastError } from "../ui/index.ts";
import styles from "./moderation.module.css";
import { Name, when } from "./names.tsx";
import { Replay } from "./Replay.tsx";
import { RuleEditor } from "./RuleEditor.tsx";
import { texts } from "./texts.ts";

/** By what messages are judged: what is live, the draft, and what was before. */
export default function Rules({ admin }: { admin: boolean }) {
  const t = useTexts(texts);
  const chat = useChat();
  const [live, setLive] = useState<Ruleset>();
  const [draft, setDraft] = useState<Ruleset>();
  const [known, setKnown] = useState(false);
  const list = usePaged<Ruleset>("versions", (cursor) =>
    chat.call("moderation.rules.list", { cursor }).then(({ versions, next }) => ({ items: versions, next })),
  );
  const { again } = list;
  const read = useCallback(async () => {
    const get = (state: "live" | "draft") =>
      chat.call("moderation.rules.get", { state }).catch(() => undefined); // there is none
    const [is, next] = await Promise.all([get("live"), get("draft")]);
    setLive(is);
    setDraft(next);
    setKnown(true);
  }, [chat]);
  useEffect(() => void read(), [read]);
  const changed = useCallback(() => {
    void read();
    again();
  }, [read, again]);

  async function rollBack(version: number) {
    try {
      await chat.call("moderation.rules.rollback", { version });
      toast(t("rolledBack", { count: version }), { tone: "success" });
      changed();
    } catch (error) {
      toastError(error);
    }
  }
  if (!known) return <Skeleton lines={6} />;
  return (
    <>
      {!admin && <p className={styles.soft}>{t("readOnly")}</p>}
      <section className={styles.box} aria-label={t("live")}>
        <div className={styles.line}>
          <h3>{t("live")}</h3>
          {live !== undefined && <Badge tone="success">{t("version", { count: live.version })}</Badge>}
        </div>
        <RuleList rules={live?.rules ?? []} />
      </section>
      {admin && <RuleEditor key={draft?.version ?? "new"} draft={draft} live={live} onChange={changed} />}
      <Try draft={draft !== undefined} />
      {draft !== undefined && <Replay />}
      <section className={styles.box} aria-label={t("versions")}>
        <h3>{t("versions")}</h3>
        <PagedList list={list} label={t("versions")} keyOf={(each) => each.version} empty={t("rulesNone")}>
          {(each) => (
            <div className={styles.row}>
              <Badge tone={each.state === "live" ? "success" : "quiet"}>{t(each.state)}</Badge>
              <span className={styles.grow}>
                {t("version", { count: each.version })}
                {each.note !== undefined && each.note !== "" && ` · ${each.note}`}
                <br />
                <span className={styles.soft}>
                  <Name user={each.by} />
                  {each.created !== undefined && each.created > 0 && `, ${when(each.created)}`}
                </span>
              </span>
              {admin && each.state === "retired" && (
                <Button size="s" onClick={() => void rollBack(each.version)}>
                  {t("rollback")}
                </Button>
              )}
            </div>
          )}
        </PagedList>
      </section>
    </>
  );
}

function RuleList({ rules }: { rules: readonly Rule[] }) {
  const t = useTexts(texts);
  if (rules.length === 0) return <p className={styles.soft}>{t("rulesNone")}</p>;
  return (
    <ol className={styles.rows}>
      {rules.map((rule) => (
        <li key={rule.name} className={styles.row}>
          <Badge tone={rule.action === "reject" ? "danger" : "warning"}>{t(rule.action)}</Badge>
          <span className={styles.grow}>
            <strong>{rule.name}</strong>
            <pre className={styles.pre}>{rule.when.map((each) => JSON.stringify(each)).join("\n")}</pre>
          </span>
        </li>
      ))}
    </ol>
  );
}

function Try({ draft }: { draft: boolean }) {
  const t = useTexts(texts);
  const chat = useChat();
  const [text, setText] = useState("");
  const [rules, setRules] = useState<"live" | "draft">("live");
  const [tried, setTried] = useState<{ of: string; result: Tried }>();
  const [busy, setBusy] = useState(false);
  async function judge(event: FormEvent) {
    event.preventDefault();
    if (text === "") return;
    setBusy(true);
    try {
      setTried({ of: text, result: await chat.call("moderation.try", { text, rules }) });
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  }
  const result = tried?.result;
  const marks = (result?.matches ?? [])
    .flatMap((match) => (match.spans ?? []).map(([start, end]) => ({ start, end })))
    .sort((one, other) => one.start - other.start);
  return (
    <form className={styles.box} aria-label={t("try")} onSubmit={(event) => void judge(event)}>
      <h3>{t("try")}</h3>
      <TextField label={t("tryText")} value={text} onChange={setText} />
      {draft && (
        <Choice<"live" | "draft">
          label={t("tryWith")}
          value={rules}
          onChange={setRules}
          options={[
            { value: "live", label: t("live") },
            { value: "draft", label: t("draft") },
          ]}
        />
      )}
      <div>
        <Button type="submit" busy={busy} disabled={text === ""}>
          {t("tryIt")}
        </Button>
      </div>
      <div role="status">
        {result !== undefined && (
          <>
            <p className={styles.line}>
              {t("judged")}{" "}
              <Badge tone={result.action === "allow" ? "success" : "danger"}>{t(result.action)}</Badge>
              {result.rule !== undefined && t("by", { name: result.rule })}
              <span className={styles.soft}>{result.reason}</span>
            </p>
            <p className={styles.said} dir="auto">
              <Marked text={tried?.of ?? ""} marks={marks} />
            </p>
            {result.text !== undefined && (
              <p dir="auto">
                {t("becomes")}: {result.text}
              </p>
            )}
          </>
        )}
      </div>
    </form>
  );
}
