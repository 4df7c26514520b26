import type { Case, CaseAction } from "hubbub/chat";
import { useChat, useHubbub } from "hubbub/react";
import { type FormEvent, useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { DURATION_KEYS, type Duration, untilOf } from "../panes/durations.ts";
import { Button, Choice, Select, Switch, TextArea, toast, toastError } from "../ui/index.ts";
import styles from "./moderation.module.css";
import { usePlace } from "./names.tsx";
import { texts } from "./texts.ts";

const ACTIONS: Record<Case["subject"], readonly CaseAction[]> = {
  hold: ["approve", "reject", "warn", "mute", "ban", "shadow"],
  message: ["dismiss", "delete", "warn", "mute", "ban", "shadow"],
  user: ["dismiss", "warn", "mute", "ban", "shadow"],
};
const RESTRICTS: ReadonlySet<CaseAction> = new Set(["mute", "ban", "shadow"]);

/** Decides on a case, and has it done. */
export function Decide({ each, office, load }: { each: Case; office: boolean; load(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const hubbub = useHubbub();
  const place = usePlace(each.conversation);
  const actions = ACTIONS[each.subject];
  const [action, setAction] = useState<CaseAction>(actions[0] ?? "dismiss");
  const [duration, setDuration] = useState<Duration>("day");
  const [where, setWhere] = useState<"here" | "everywhere">("here");
  const [remove, setRemove] = useState(false);
  const [text, setText] = useState("");
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);
  const restricts = RESTRICTS.has(action);
  const told = action !== "dismiss" && action !== "approve" && action !== "shadow";
  const removable = each.subject === "message" && (restricts || action === "warn");

  async function decide(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    const until = untilOf(duration, hubbub.time());
    try {
      await chat.call("cases.decide", {
        case: each.id,
        action,
        ...(restricts && until !== undefined ? { until } : {}),
        ...(restricts && where === "everywhere" ? { everywhere: true } : {}),
        ...(removable && remove ? { delete: true } : {}),
        ...(told && text.trim() !== "" ? { text: text.trim() } : {}),
        ...(note.trim() === "" ? {} : { note: note.trim() }),
      });
      toast(t("decideDone"), { tone: "success" });
      load();
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  }
  return (
    <form className={styles.box} aria-label={t("decide")} onSubmit={(event) => void decide(event)}>
      <h3>{t("decide")}</h3>
      <Choice<CaseAction>
        label={t("action")}
        value={action}
        onChange={setAction}
        options={actions.map((value) => ({ value, label: t(value) }))}
      />
      {restricts && (
        <div className={styles.filters}>
          <Select<Duration>
            label={t("howLong")}
            value={duration}
            onChange={setDuration}
            options={DURATION_KEYS.map((value) => ({ value, label: t(value) }))}
          />
          {office && each.conversation !== undefined && (
            <Select<"here" | "everywhere">
              label={t("where")}
              value={where}
              onChange={setWhere}
              options={[
                { value: "here", label: place },
                { value: "everywhere", label: t("everywhere") },
              ]}
            />
          )}
        </div>
      )}
      {removable && <Switch label={t("alsoDelete")} checked={remove} onChange={setRemove} />}
      {told && <TextArea label={t("told")} value={text} onChange={setText} rows={2} />}
      <TextArea label={t("internal")} value={note} onChange={setNote} rows={2} />
      <div>
        <Button
          tone={action === "dismiss" || action === "approve" || action === "warn" ? "primary" : "danger"}
          type="submit"
          busy={busy}
        >
          {t("decide")}: {t(action)}
        </Button>
      </div>
    </form>
  );
}

/** Answers an appeal. */
export function AnswerAppeal({ each, load }: { each: Case; load(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  async function answer(granted: boolean) {
    setBusy(true);
    try {
      await chat.call("cases.answer", {
        case: each.id,
        granted,
        ...(text.trim() === "" ? {} : { text: text.trim() }),
      });
      load();
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  }
  return (
    <section className={styles.box} aria-label={t("appeal")}>
      <h3>{t("appeal")}</h3>
      <TextArea label={t("answerText")} value={text} onChange={setText} rows={2} />
      <div className={styles.buttons}>
        <Button tone="primary" busy={busy} onClick={() => void answer(true)}>
          {t("grant")}
        </Button>
        <Button busy={busy} onClick={() => void answer(false)}>
          {t("refuse")}
        </Button>
      </div>
    </section>
  );
}
