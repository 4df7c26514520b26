import type { Case, CaseDetails, CaseNote, Message, Part } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { type FormEvent, useCallback, useEffect, useState } from "react";
import { go } from "../app/router.ts";
import { gist, gistOfPart } from "../conversations/look.ts";
import { useMyId } from "../conversations/names.ts";
import { useTexts } from "../i18n/index.ts";
import { useFileUrl } from "../messages/useFileUrl.ts";
import { hrefTo } from "../panes/places.ts";
import { Badge, Button, EmptyState, Skeleton, TextField, toastError } from "../ui/index.ts";
import { AnswerAppeal, Decide } from "./Decide.tsx";
import styles from "./moderation.module.css";
import { Name, Place, useName, when } from "./names.tsx";
import { useCaseChanges } from "./Queue.tsx";
import { texts } from "./texts.ts";

/** A case: what it is about and where it was said, who has reported it, and what is done about it. */
export function CaseView({ id, office }: { id: string; office: boolean }) {
  const t = useTexts(texts);
  const chat = useChat();
  const [details, setDetails] = useState<CaseDetails>();
  const [error, setError] = useState<string>();
  const load = useCallback(() => {
    chat.call("cases.get", { case: id }).then(
      (found) => {
        setDetails(found);
        setError(undefined);
      },
      (wrong: unknown) => setError(wrong instanceof Error ? wrong.message : String(wrong)),
    );
  }, [chat, id]);
  useEffect(load, [load]);
  useCaseChanges(office ? "" : (details?.case.conversation ?? ""), load);
  if (error !== undefined)
    return (
      <EmptyState
        icon="shield"
        title={error}
        action={<Button onClick={() => go({ view: "moderation", rest: "" })}>{t("back")}</Button>}
      />
    );
  if (details === undefined) return <Skeleton lines={6} />;
  return <Shown details={details} office={office} load={load} />;
}

function Shown({ details, office, load }: { details: CaseDetails; office: boolean; load(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const me = useMyId();
  const { case: each, notes, reports } = details;
  const name = useName(each.user);
  const mine = each.claimed_by === me;
  const claim = (operation: "cases.claim" | "cases.release") =>
    chat.call(operation, { case: each.id }).then(load, toastError);
  return (
    <>
      <div className={styles.line}>
        <Button size="s" icon="back" tone="plain" onClick={() => go({ view: "moderation", rest: "queue" })}>
          {t("back")}
        </Button>
        <span className={styles.grow} />
        {each.claimed_by !== undefined && (
          <Badge tone="accent">{mine ? t("claimedByMe") : <ClaimedBy user={each.claimed_by} />}</Badge>
        )}
        {(each.state === "open" || each.state === "appealed") && (
          <Button size="s" onClick={() => void claim(mine ? "cases.release" : "cases.claim")}>
            {t(mine ? "release" : "claim")}
          </Button>
        )}
      </div>
      <section className={styles.box} aria-label={t("what")}>
        <div className={styles.line}>
          <h3>{t("caseOf", { name })}</h3>
          <Badge tone={each.subject === "hold" ? "warning" : "quiet"}>{t(each.subject)}</Badge>
          <Badge>{t(each.state)}</Badge>
          <span className={styles.soft}>
            {each.conversation !== undefined && <Place conversation={each.conversation} />} ·{" "}
            {when(each.created)}
          </span>
        </div>
        {each.parts !== undefined && each.parts.length > 0 && <Said parts={each.parts} />}
        {each.conversation !== undefined && each.message !== undefined && (
          <Context conversation={each.conversation} message={each.message} />
        )}
      </section>
      <section className={styles.box} aria-label={t("why")}>
        <h3>{t("why")}</h3>
        <ul className={styles.rows}>
          {reports.map((report, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: reports have no other name
            <li key={at} className={styles.row}>
              <Badge tone="danger">{report.reason}</Badge>
              {report.note !== "" && <span dir="auto">“{report.note}”</span>}
              <span className={styles.soft}>
                {report.reporter !== undefined && <Name user={report.reporter} />} {when(report.created)}
              </span>
            </li>
          ))}
          {reports.length === 0 && <li className={styles.row}>{(each.reasons ?? []).join(", ")}</li>}
        </ul>
        <Verdict verdict={each.verdict} />
      </section>
      <Notes notes={notes} each={each} load={load} />
      {each.decision !== undefined && (
        <section className={styles.box} aria-label={t("decision")}>
          <h3>{t("decision")}</h3>
          <Decided each={each} />
        </section>
      )}
      {each.state === "appealed" && <AnswerAppeal each={each} load={load} />}
      {each.state === "open" && <Decide each={each} office={office} load={load} />}
    </>
  );
}

function ClaimedBy({ user }: { user: string }) {
  const t = useTexts(texts);
  return t("claimedBy", { name: useName(user) });
}

function Said({ parts }: { parts: readonly Part[] }) {
  const t = useTexts(texts);
  return (
    <div className={styles.said} dir="auto">
      {parts.map((part, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: parts stay where they are
        <div key={at}>
          {part.type === "text" ? (
            part.text
          ) : part.type === "file" ? (
            <EvidenceFile
              file={part.file}
              name={part.name ?? part.file}
              image={part.media_type?.startsWith("image/") === true}
            />
          ) : (
            gistOfPart(part) || t("withoutWords")
          )}
        </div>
      ))}
    </div>
  );
}

function EvidenceFile({ file, name, image }: { file: string; name: string; image: boolean }) {
  const t = useTexts(texts);
  const url = useFileUrl(file);
  if (!url) return name;
  return (
    <a href={url} target="_blank" rel="noreferrer" aria-label={t("openFile", { name })}>
      {image ? <img className={styles.thumb} src={url} alt={name} /> : name}
    </a>
  );
}

/** What was said around it, as far as one may read there. */
function Context({ conversation, message }: { conversation: string; message: number }) {
  const t = useTexts(texts);
  const chat = useChat();
  const [around, setAround] = useState<readonly Message[]>([]);
  useEffect(() => {
    let wanted = true;
    chat.call("messages.list", { conversation, around: message, limit: 7 }).then(
      ({ messages }) => wanted && setAround(messages),
      () => undefined, // not a member: what the case has kept is there
    );
    return () => {
      wanted = false;
    };
  }, [chat, conversation, message]);
  if (around.length === 0) return null;
  return (
    <details>
      <summary>{t("context")}</summary>
      <ul className={styles.context}>
        {around.map((each) => (
          <li key={each.seq} data-this={each.seq === message || undefined}>
            <strong>
              <Name user={each.sender} />
            </strong>{" "}
            <span className={styles.soft}>{when(each.created)}</span>
            <br />
            <span dir="auto">{gist(each) || t("withoutWords")}</span>
          </li>
        ))}
      </ul>
      <a href={hrefTo({ conversation, seq: message })}>{t("showContext")}</a>
    </details>
  );
}

/** What rules and hooks have said, as they said it. */
function Verdict({ verdict }: { verdict: unknown }) {
  const t = useTexts(texts);
  if (verdict === undefined || verdict === null) return null;
  return (
    <details>
      <summary>{t("found")}</summary>
      <pre className={styles.pre}>{JSON.stringify(verdict, null, 2)}</pre>
    </details>
  );
}

const KINDS = {
  note: "kindNote",
  decision: "kindDecision",
  appeal: "kindAppeal",
  answer: "kindAnswer",
} as const satisfies Record<CaseNote["kind"], keyof typeof texts.english>;

function Notes({ notes, each, load }: { notes: readonly CaseNote[]; each: Case; load(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const [text, setText] = useState("");
  async function add(event: FormEvent) {
    event.preventDefault();
    if (text.trim() === "") return;
    try {
      await chat.call("cases.note", { case: each.id, text: text.trim() });
      setText("");
      load();
    } catch (error) {
      toastError(error);
    }
  }
  return (
    <section className={styles.box} aria-label={t("notes")}>
      <h3>{t("notes")}</h3>
      {notes.length === 0 && <p className={styles.soft}>{t("notesNone")}</p>}
      <ul className={styles.rows}>
        {notes.map((note, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: notes are only ever added at the end
          <li key={at} className={styles.row}>
            <Badge>{t(KINDS[note.kind])}</Badge>
            <span className={styles.grow} dir="auto">
              {note.text}
            </span>
            <span className={styles.soft}>
              <Name user={note.author} />, {when(note.time)}
            </span>
          </li>
        ))}
      </ul>
      <form className={styles.form} onSubmit={(event) => void add(event)}>
        <TextField label={t("addNote")} hint={t("noteHint")} value={text} onChange={setText} />
        <div>
          <Button type="submit" disabled={text.trim() === ""}>
            {t("add")}
          </Button>
        </div>
      </form>
    </section>
  );
}

function Decided({ each }: { each: Case }) {
  const t = useTexts(texts);
  const { decision } = each;
  const name = useName(decision?.by);
  if (decision === undefined) return null;
  return (
    <>
      <p>
        {t("decidedBy", { action: t(decision.action), name, when: when(decision.time) })}
        {decision.until !== undefined && ` · ${t("until", { when: when(decision.until) })}`}
      </p>
      {decision.text !== undefined && decision.text !== "" && <p className={styles.said}>{decision.text}</p>}
      {each.granted !== undefined && (
        <p>
          {t("appeal")}: {t(each.granted ? "granted" : "refused")}
        </p>
      )}
    </>
  );
}
