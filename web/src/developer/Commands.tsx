import { HubbubError } from "hubbub";
import { type FormEvent, type ReactNode, useId, useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { Badge, Button, Select, Switch, TextArea, TextField } from "../ui/index.ts";
import styles from "./Commands.module.css";
import type { Client, Exchange } from "./client.ts";
import { commandOf, type Fields, KINDS, type Kind } from "./commands.ts";
import shared from "./developer.module.css";
import { Fold } from "./Fold.tsx";
import { Json } from "./FrameList.tsx";
import { CopyButton } from "./parts.tsx";
import type { Reference } from "./reference.ts";
import { texts } from "./texts.ts";
import { useReference } from "./useReference.ts";

const USUAL = { event: "message", json: "", method: "chat.me.get", limit: "10", newest: true };

type Given = { client: Client; channel: string; exchanges: readonly Exchange[] };

/** Everything a client can be told to do, and what the server has answered. */
export function Commands(props: Given) {
  const t = useTexts(texts);
  return (
    <Fold name="commands" title={t("commands")} count={props.exchanges.length}>
      <Console {...props} />
    </Fold>
  );
}

function Console({ client, channel, exchanges }: Given) {
  const t = useTexts(texts);
  const reference = useReference();
  return (
    <>
      <Form key={channel} client={client} channel={channel} methods={reference.methods} />
      <div className={styles.replies}>
        <h4 className={styles.repliesTitle}>{t("replies")}</h4>
        {exchanges.length === 0 && <p className={shared.soft}>{t("noReplies")}</p>}
        <div role="log" aria-label={t("replies")}>
          <ol className={styles.list}>
            {exchanges.toReversed().map((each) => (
              <Answer key={each.key} exchange={each} reference={reference} />
            ))}
          </ol>
        </div>
      </div>
    </>
  );
}

function Form(props: { client: Client; channel: string; methods: readonly string[] }) {
  const t = useTexts(texts);
  const id = useId();
  const [fields, setFields] = useState<Fields>({ ...USUAL, kind: "publish", channel: props.channel });
  const [wrong, setWrong] = useState<string>();
  const put = (changes: Partial<Fields>) => {
    setWrong(undefined);
    setFields({ ...fields, ...changes });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    try {
      void props.client.run(commandOf(fields));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      setWrong(t(error instanceof SyntaxError ? "notJson" : "notCommand", { reason }));
    }
  };
  const { kind } = fields;
  const json = (label: string, placeholder: string): ReactNode => (
    <span className={styles.jsonField}>
      <TextArea
        label={label}
        rows={2}
        value={fields.json}
        onChange={(to) => put({ json: to })}
        placeholder={placeholder}
        spellCheck={false}
        autoCapitalize="none"
        error={wrong}
      />
    </span>
  );
  return (
    <form className={styles.command} onSubmit={submit}>
      <div className={shared.tools}>
        <Select<Kind>
          label={t("command")}
          value={kind}
          onChange={(to) => put({ kind: to })}
          options={KINDS.map((value) => ({ value, label: t(value) }))}
        />
        {kind === "call" ? (
          <span className={shared.grow}>
            <TextField
              label={t("method")}
              value={fields.method}
              onChange={(to) => put({ method: to })}
              list={id}
              required
              spellCheck={false}
              autoCapitalize="none"
            />
            <datalist id={id}>
              {props.methods.map((method) => (
                <option key={method} value={method} />
              ))}
            </datalist>
          </span>
        ) : (
          kind !== "raw" && (
            <span className={shared.grow}>
              <TextField
                label={t("channel")}
                value={fields.channel}
                onChange={(to) => put({ channel: to })}
                required
                spellCheck={false}
                autoCapitalize="none"
              />
            </span>
          )
        )}
        {kind === "publish" && (
          <span className={shared.grow}>
            <TextField
              label={t("event")}
              value={fields.event}
              onChange={(to) => put({ event: to })}
              required
              spellCheck={false}
              autoCapitalize="none"
            />
          </span>
        )}
        {kind === "history" && (
          <TextField
            label={t("limit")}
            type="number"
            min={1}
            value={fields.limit}
            onChange={(to) => put({ limit: to })}
            required
          />
        )}
      </div>
      {kind === "history" && (
        <Switch label={t("newest")} checked={fields.newest} onChange={(to) => put({ newest: to })} />
      )}
      {kind === "publish" && json(t("data"), '{"text": "hello"}')}
      {kind === "call" && json(t("params"), "{}")}
      {kind === "raw" && json(t("commandJson"), '{"type": "presence", "channel": "lobby"}')}
      <div className={shared.buttons}>
        <Button size="s" tone="primary" type="submit">
          {t("sendCommand")}
        </Button>
        <Button size="s" icon="trash" onClick={() => props.client.forget()}>
          {t("clear")}
        </Button>
      </div>
    </form>
  );
}

function Answer({ exchange, reference }: { exchange: Exchange; reference: Reference }) {
  const t = useTexts(texts);
  const { title, took, reply, error } = exchange;
  return (
    <li className={styles.answer} data-answer={error === undefined ? "reply" : "error"}>
      <div className={shared.line}>
        <code className={styles.what}>{title || t("reported")}</code>
        <span className={shared.soft}>
          {took === undefined
            ? error === undefined && t("awaited")
            : t("milliseconds", { count: Math.round(took) })}
        </span>
      </div>
      {error !== undefined && <Refused error={error} reference={reference} />}
      {reply !== undefined && (
        <>
          <Json content={reply} />
          <CopyButton read={() => JSON.stringify(reply, null, 2)} />
        </>
      )}
    </li>
  );
}

/** An error with its number, what it says, and what to do about it. */
export function Refused({ error, reference }: { error: unknown; reference: Reference }) {
  const t = useTexts(texts);
  if (!(error instanceof HubbubError)) return <p className={shared.bad}>{String(error)}</p>;
  const { code, name, message, temporary, retryAfter, field } = error;
  const advice = reference.advice.get(code);
  return (
    <div className={styles.refused}>
      <p className={shared.line}>
        <Badge tone="danger">{code}</Badge>
        <code>{name}</code>
        {temporary && <Badge tone="warning">{t("temporary")}</Badge>}
        {retryAfter !== undefined && <Badge>{t("retryAfter", { seconds: retryAfter })}</Badge>}
        {field !== undefined && <Badge>{t("field", { field })}</Badge>}
      </p>
      <p>{message}</p>
      {advice !== undefined && <p className={shared.soft}>{advice}</p>}
    </div>
  );
}
