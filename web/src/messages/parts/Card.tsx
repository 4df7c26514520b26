import type { Button as CardButton, CardPart, Select as CardSelect, Input, MessageItem } from "hubbub/chat";
import { useUser } from "hubbub/react";
import { type FormEvent, useState } from "react";
import { useTexts } from "../../i18n/index.ts";
import {
  Button,
  ConfirmDialog,
  Icon,
  IconButton,
  Select,
  TextArea,
  TextField,
  toast,
  toastError,
} from "../../ui/index.ts";
import { useAnswers } from "../answers.ts";
import { safeHref } from "../markdown.ts";
import { may, useRoom } from "../room.ts";
import { Text } from "../Text.tsx";
import { texts } from "../texts.ts";
import styles from "./Parts.module.css";
import { PlainPart } from "./Parts.tsx";

type Press = (action: string, value?: string) => Promise<void>;

/** A card of a program: what it tells, and what one can press, choose and write there. */
export function Card({ part, item }: { part: CardPart; item: MessageItem }) {
  const t = useTexts(texts);
  const room = useRoom();
  const { chat, conversation } = room;
  const { seq, sender } = item.message;
  const program = useUser(sender);
  const { answers, dismiss } = useAnswers(conversation, seq);
  const can = seq !== 0 && may(room, "react");
  const press: Press = async (action, value) => {
    try {
      await chat.call("cards.press", {
        conversation,
        message: seq,
        action,
        ...(value !== undefined && { value }),
      });
      toast(t("asked", { name: program?.name || sender || t("server") }));
    } catch (error) {
      toastError(error);
    }
  };
  const url = part.url === undefined ? undefined : safeHref(part.url);
  return (
    <section className={`${styles.box} ${styles.card}`} aria-label={part.title}>
      {part.title !== undefined && (
        <p className={styles.title} dir="auto">
          {url === undefined ? (
            part.title
          ) : (
            <a href={url} target="_blank" rel="noopener noreferrer">
              {part.title}
            </a>
          )}
        </p>
      )}
      {part.text !== undefined && <Text text={part.text} format={part.format} />}
      {part.image !== undefined && <CardImage src={part.image} />}
      {part.fields !== undefined && part.fields.length > 0 && (
        <dl className={styles.fields}>
          {part.fields.map((field) => (
            <div key={field.label} data-short={field.short === true || undefined}>
              <dt>{field.label}</dt>
              <dd dir="auto">{field.value}</dd>
            </div>
          ))}
        </dl>
      )}
      {part.actions !== undefined && part.actions.length > 0 && (
        <div className={styles.actions}>
          {part.actions.map((action) =>
            action.type === "button" ? (
              <PressButton key={action.id} button={action} disabled={!can} press={press} />
            ) : action.type === "select" ? (
              <Choose key={action.id} select={action} disabled={!can} press={press} />
            ) : (
              <Write key={action.id} input={action} disabled={!can} press={press} />
            ),
          )}
        </div>
      )}
      {answers.map((answer) => (
        <div key={answer.invocation} className={styles.answer} role="status">
          <Icon name="eye" size={16} />
          <div>
            <p className={styles.small}>{t("onlyYou")}</p>
            {answer.parts.map((each, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: they never change
              <PlainPart key={at} part={each} />
            ))}
          </div>
          <IconButton icon="close" size="s" label={t("dismiss")} onClick={() => dismiss(answer.invocation)} />
        </div>
      ))}
    </section>
  );
}

function CardImage({ src }: { src: string }) {
  const [broken, setBroken] = useState(false);
  if (broken || !src.startsWith("https://")) return null;
  return <img className={styles.cardImage} src={src} alt="" loading="lazy" onError={() => setBroken(true)} />;
}

function PressButton({ button, disabled, press }: { button: CardButton; disabled: boolean; press: Press }) {
  const t = useTexts(texts);
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const url = button.url === undefined ? undefined : safeHref(button.url);
  const go = async () => {
    setAsking(false);
    if (url !== undefined) {
      window.open(url, "_blank", "noopener,noreferrer");
      return;
    }
    setBusy(true);
    await press(button.id, button.value);
    setBusy(false);
  };
  const tone = button.style === "primary" || button.style === "danger" ? button.style : "neutral";
  const { confirm } = button;
  return (
    <>
      <Button
        tone={tone}
        busy={busy}
        disabled={disabled}
        {...(url === undefined ? {} : { icon: "external" as const })}
        onClick={() => (confirm === undefined ? void go() : setAsking(true))}
      >
        {button.label}
      </Button>
      {confirm !== undefined && (
        <ConfirmDialog
          open={asking}
          onClose={() => setAsking(false)}
          title={confirm.title ?? t("sure")}
          confirm={confirm.yes ?? button.label}
          danger={button.style === "danger"}
          onConfirm={() => void go()}
        >
          {confirm.text}
        </ConfirmDialog>
      )}
    </>
  );
}

function Choose({ select, disabled, press }: { select: CardSelect; disabled: boolean; press: Press }) {
  const t = useTexts(texts);
  const [value, setValue] = useState("");
  return (
    <div>
      <Select
        label={select.label}
        value={value}
        disabled={disabled}
        onChange={(chosen) => {
          setValue(chosen);
          if (chosen !== "") void press(select.id, chosen);
        }}
        options={[{ value: "", label: t("choose"), disabled: true }, ...select.options]}
      />
    </div>
  );
}

function Write({ input, disabled, press }: { input: Input; disabled: boolean; press: Press }) {
  const t = useTexts(texts);
  const [value, setValue] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (value.trim() === "") return;
    void press(input.id, value).then(() => setValue(""));
  };
  const Field = input.multiline === true ? TextArea : TextField;
  return (
    <form onSubmit={submit}>
      <Field
        label={input.label}
        value={value}
        onChange={setValue}
        placeholder={input.placeholder}
        maxLength={input.max_length}
        disabled={disabled}
      />
      <Button type="submit" disabled={disabled || value.trim() === ""}>
        {t("send")}
      </Button>
    </form>
  );
}
