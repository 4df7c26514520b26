import type { Rule, Ruleset } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { type FormEvent, useState } from "react";
import { translate, useTexts } from "../i18n/index.ts";
import { Button, ConfirmDialog, TextArea, TextField, toast, toastError } from "../ui/index.ts";
import styles from "./moderation.module.css";
import { texts } from "./texts.ts";

/** Rules from their JSON, or what is wrong with it. What they say is judged by the server. */
export function readRules(json: string): { readonly rules: readonly Rule[] } | { readonly wrong: string } {
  try {
    const found: unknown = JSON.parse(json);
    return Array.isArray(found) ? { rules: found as Rule[] } : { wrong: translate(texts, "notList") };
  } catch (error) {
    return { wrong: translate(texts, "notJson", { reason: error instanceof Error ? error.message : "" }) };
  }
}

/** Writes the draft, and publishes it. */
export function RuleEditor(props: {
  draft: Ruleset | undefined;
  live: Ruleset | undefined;
  onChange(): void;
}) {
  const t = useTexts(texts);
  const chat = useChat();
  const { draft, live } = props;
  const start = JSON.stringify(draft?.rules ?? live?.rules ?? [], null, 2);
  const [json, setJson] = useState(start);
  const [note, setNote] = useState(draft?.note ?? "");
  const [publishing, setPublishing] = useState(false);
  const [busy, setBusy] = useState(false);
  const read = readRules(json);
  const unsaved = json !== start || draft === undefined;

  async function run(what: () => Promise<unknown>, said: string) {
    setBusy(true);
    try {
      await what();
      toast(said, { tone: "success" });
      props.onChange();
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
      setPublishing(false);
    }
  }
  function save(event: FormEvent) {
    event.preventDefault();
    if ("wrong" in read) return;
    void run(() => chat.call("moderation.rules.draft", { rules: read.rules, note }), t("saved"));
  }
  return (
    <form className={styles.box} aria-label={t("draft")} onSubmit={save}>
      <h3>{t("edit")}</h3>
      <div className={styles.code}>
        <TextArea
          label={t("rules")}
          hint={t("editHint")}
          error={"wrong" in read ? read.wrong : undefined}
          value={json}
          onChange={setJson}
          rows={12}
          spellCheck={false}
        />
      </div>
      <TextField label={t("note")} value={note} onChange={setNote} />
      <div className={styles.buttons}>
        <Button type="submit" busy={busy} disabled={"wrong" in read || !unsaved}>
          {t("saveDraft")}
        </Button>
        <Button tone="primary" disabled={unsaved || busy} onClick={() => setPublishing(true)}>
          {t("publish")}
        </Button>
      </div>
      <ConfirmDialog
        open={publishing}
        onClose={() => setPublishing(false)}
        title={t("publishTitle")}
        confirm={t("publish")}
        busy={busy}
        onConfirm={() => void run(() => chat.call("moderation.rules.publish", {}), t("published"))}
      >
        <p>{t("publishText")}</p>
      </ConfirmDialog>
    </form>
  );
}
