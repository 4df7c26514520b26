import type { Replayed } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { type FormEvent, useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { Button, TextField, toastError } from "../ui/index.ts";
import styles from "./moderation.module.css";
import { texts } from "./texts.ts";

/** What the draft judges otherwise than what is live, by a test set. */
export function Replay() {
  const t = useTexts(texts);
  const chat = useChat();
  const [name, setName] = useState("");
  const [result, setResult] = useState<Replayed>();
  const [busy, setBusy] = useState(false);
  async function replay(event: FormEvent) {
    event.preventDefault();
    if (name.trim() === "") return;
    setBusy(true);
    try {
      setResult(await chat.call("moderation.replay", { test_set: name.trim() }));
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  }
  return (
    <form className={styles.box} aria-label={t("replay")} onSubmit={(event) => void replay(event)}>
      <h3>{t("replay")}</h3>
      <TextField label={t("testSet")} value={name} onChange={setName} />
      <div>
        <Button type="submit" busy={busy} disabled={name.trim() === ""}>
          {t("replayIt")}
        </Button>
      </div>
      <div role="status">
        {result !== undefined && (
          <>
            <p>
              {t("replayed", {
                count: result.changed,
                total: result.samples,
                live: result.live_right,
                draft: result.draft_right,
              })}
            </p>
            <ul className={styles.rows}>
              {(result.differences ?? []).map((each) => (
                <li key={each.sample} className={styles.row}>
                  <span dir="auto">“{each.text}”</span>
                  <span className={styles.soft}>
                    {t("difference", {
                      expected: t(each.expected),
                      live: t(each.live),
                      draft: t(each.draft),
                    })}
                  </span>
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
    </form>
  );
}
