import type { MessageItem, PartInput } from "hubbub/chat";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { grow } from "../composer/grow.ts";
import { fits, Length } from "../composer/Length.tsx";
import { mentionsIn } from "../composer/mentions.ts";
import { useTexts } from "../i18n/index.ts";
import { Button, toastError } from "../ui/index.ts";
import styles from "./EditForm.module.css";
import { useRoom } from "./room.ts";
import { texts } from "./texts.ts";

/** A message that is being changed, where it stands. Enter saves, Escape leaves it as it was. */
export function EditForm({ item }: { item: MessageItem }) {
  const t = useTexts(texts);
  const { chat, conversation, stopEditing } = useRoom();
  const { message } = item;
  const parts = message.parts ?? [];
  const first = parts.find((part) => part.type === "text");
  const before = first?.type === "text" ? first.text : "";
  const [text, setText] = useState(before);
  const said = text.trim();
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    const element = field.current;
    if (element === null) return;
    element.focus({ preventScroll: true });
    element.setSelectionRange(element.value.length, element.value.length);
    grow(element);
    element.scrollIntoView({ block: "nearest" });
  }, []);

  function leave() {
    const row = field.current?.closest<HTMLElement>("[data-message]");
    stopEditing();
    row?.focus({ preventScroll: true });
  }
  function save() {
    const others = parts.filter((part) => part !== first) as readonly PartInput[];
    if ((said === "" && others.length === 0) || !fits(said)) return;
    leave();
    if (said === before) return;
    const known = message.mentions;
    const mentions = mentionsIn(said, {
      users: new Set(known?.users),
      groups: new Set(known?.groups),
      everyone: known?.everyone !== undefined,
    });
    chat
      .edit(conversation, message.seq, {
        text: said,
        format: "markdown",
        parts: others,
        ...(mentions && { mentions }),
      })
      .catch(toastError);
  }
  function key(event: KeyboardEvent) {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      leave();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      save();
    }
  }
  return (
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <textarea
        ref={field}
        className={styles.field}
        dir="auto"
        rows={1}
        aria-label={t("editing")}
        aria-description={t("editHint")}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          grow(event.target);
        }}
        onKeyDown={key}
      />
      <div className={styles.foot}>
        <span className={styles.hint}>{t("editHint")}</span>
        <Length text={said} />
        <Button size="s" onClick={leave}>
          {t("cancel")}
        </Button>
        <Button size="s" tone="primary" type="submit" disabled={!fits(said)}>
          {t("save")}
        </Button>
      </div>
    </form>
  );
}
