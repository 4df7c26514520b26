import { useTexts } from "../i18n/index.ts";
import { useAnswers } from "../messages/answers.ts";
import { PlainPart } from "../messages/parts/Parts.tsx";
import { Icon, IconButton } from "../ui/index.ts";
import styles from "./Composer.module.css";
import { texts } from "./texts.ts";

/** What programs have answered to one's commands: nobody else sees it. */
export function PrivateAnswers({ conversation }: { conversation: string }) {
  const t = useTexts(texts);
  const { answers, dismiss } = useAnswers(conversation);
  if (answers.length === 0) return null;
  return (
    <div className={styles.answers} role="log" aria-label={t("onlyYou")}>
      {answers.map((answer) => (
        <div key={answer.invocation} className={styles.answer}>
          <Icon name={answer.failed ? "warning" : "eye"} size={16} />
          <div className={styles.answerText}>
            <p className={styles.soft}>
              {t("answerTo", { name: answer.name ?? "" })} · {t("onlyYou")}
            </p>
            {answer.failed && answer.parts.length === 0 && (
              <p>{t("answerFailed", { name: answer.name ?? "" })}</p>
            )}
            {answer.parts.map((part, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: they never change
              <PlainPart key={at} part={part} />
            ))}
          </div>
          <IconButton icon="close" size="s" label={t("dismiss")} onClick={() => dismiss(answer.invocation)} />
        </div>
      ))}
    </div>
  );
}
