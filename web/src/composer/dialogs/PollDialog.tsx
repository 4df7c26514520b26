import type { PartInput } from "hubbub/chat";
import { useState } from "react";
import { useTexts } from "../../i18n/index.ts";
import { fromLocal, soon, toLocal } from "../../messages/dialogs/times.ts";
import { Button, Dialog, Select, Switch, TextField } from "../../ui/index.ts";
import { texts } from "../texts.ts";
import styles from "./dialogs.module.css";
import { Lines } from "./lines.tsx";

type Results = "always" | "after_vote" | "closed";

/** Make a poll. */
export function PollDialog(props: { onClose(): void; onMade(parts: readonly PartInput[]): void }) {
  const t = useTexts(texts);
  const [question, setQuestion] = useState("");
  const [options, setOptions] = useState<readonly string[]>(["", ""]);
  const [multiple, setMultiple] = useState(false);
  const [anonymous, setAnonymous] = useState(false);
  const [results, setResults] = useState<Results>("always");
  const [timed, setTimed] = useState(false);
  const [at, setAt] = useState(() => toLocal(soon(Date.now() / 1000).tomorrow));
  const [error, setError] = useState("");
  const make = () => {
    const given = options.map((each) => each.trim()).filter((each) => each !== "");
    const closes = timed ? fromLocal(at) : undefined;
    if (question.trim() === "" || given.length < 2) return setError(t("pollNeeds"));
    if (timed && (closes === undefined || closes * 1000 <= Date.now())) return setError(t("past"));
    props.onMade([
      {
        type: "poll",
        question: question.trim(),
        options: given.map((text) => ({ text })),
        ...(multiple && { multiple }),
        ...(anonymous && { anonymous }),
        ...(results !== "always" && { results }),
        ...(closes !== undefined && { closes }),
      },
    ]);
  };
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={t("pollTitle")}
      onSubmit={make}
      footer={
        <>
          <Button onClick={props.onClose}>{t("cancel")}</Button>
          <Button tone="primary" type="submit">
            {t("pollMake")}
          </Button>
        </>
      }
    >
      <TextField
        label={t("question")}
        value={question}
        onChange={setQuestion}
        maxLength={300}
        data-autofocus
      />
      <Lines
        lines={options}
        onChange={setOptions}
        least={2}
        most={20}
        label={(number) => t("option", { number })}
        remove={(number) => t("removeOption", { number })}
        add={t("addOption")}
      />
      <Switch label={t("multiple")} checked={multiple} onChange={setMultiple} />
      <Switch label={t("anonymous")} hint={t("anonymousHint")} checked={anonymous} onChange={setAnonymous} />
      <Select<Results>
        label={t("results")}
        value={results}
        onChange={setResults}
        options={[
          { value: "always", label: t("resultsAlways") },
          { value: "after_vote", label: t("resultsAfter") },
          { value: "closed", label: t("resultsClosed") },
        ]}
      />
      <Switch label={t("closes")} checked={timed} onChange={setTimed} />
      {timed && <TextField label={t("closesAt")} type="datetime-local" value={at} onChange={setAt} />}
      {error !== "" && (
        <p role="alert" className={styles.error}>
          {error}
        </p>
      )}
    </Dialog>
  );
}
