import type { ChecklistPart, MessageItem } from "hubbub/chat";
import { useNames } from "../../conversations/names.ts";
import { useTexts } from "../../i18n/index.ts";
import { cx, tip, toastError } from "../../ui/index.ts";
import { may, useRoom } from "../room.ts";
import { texts } from "../texts.ts";
import styles from "./Parts.module.css";

/** A list whose items are ticked: by who has sent it, or by anyone. */
export function Checklist({ part, item }: { part: ChecklistPart; item: MessageItem }) {
  const t = useTexts(texts);
  const room = useRoom();
  const { chat, conversation, me } = room;
  const { seq, sender, annotations } = item.message;
  const done = new Map(annotations?.done?.map((each) => [each.id, each]));
  const names = useNames([...done.values()].flatMap(({ by }) => by ?? []));
  const can = seq !== 0 && may(room, "react") && (part.anyone === true || sender === me);
  const total = part.items.length;
  return (
    <section className={styles.box} aria-label={part.title ?? t("checklist")}>
      {part.title !== undefined && (
        <p className={styles.title} dir="auto">
          {part.title}
        </p>
      )}
      <div className={styles.progress} aria-hidden="true">
        <span style={{ inlineSize: `${total > 0 ? (done.size / total) * 100 : 0}%` }} />
      </div>
      <ul>
        {part.items.map((each, at) => {
          const id = each.id ?? String(at + 1);
          const ticked = done.get(id);
          const by =
            ticked?.by === undefined ? undefined : t("doneBy", { name: names(ticked.by) ?? ticked.by });
          return (
            <li key={id}>
              <label className={styles.item} {...(by === undefined ? {} : tip(by))}>
                <input
                  type="checkbox"
                  checked={ticked !== undefined}
                  disabled={!can}
                  onChange={(event) =>
                    void chat.check(conversation, seq, id, event.target.checked).catch(toastError)
                  }
                />
                <span className={cx(styles.optionText, ticked !== undefined && styles.done)} dir="auto">
                  {each.text}
                </span>
              </label>
            </li>
          );
        })}
      </ul>
      <p className={styles.small}>{t("doneOf", { done: done.size, total })}</p>
    </section>
  );
}
