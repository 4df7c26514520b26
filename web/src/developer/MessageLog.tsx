import type { Publication } from "hubbub";
import { memo, type ReactNode } from "react";
import { useTexts } from "../i18n/index.ts";
import { Avatar, Button, cx, EmptyState } from "../ui/index.ts";
import type { Entry } from "./client.ts";
import styles from "./MessageLog.module.css";
import { Clock } from "./parts.tsx";
import { texts } from "./texts.ts";
import { useTail } from "./useTail.ts";

/** What was said in the channels, as one client saw it: in order, and where it was away. */
export function MessageLog(props: {
  entries: readonly Entry[];
  name: string;
  channel: string;
  earlier: number;
  onEarlier(): void;
}) {
  const { entries, name, channel, earlier } = props;
  const t = useTexts(texts);
  const tail = useTail<HTMLDivElement>(entries.at(-1)?.key ?? 0);
  const unseen = entries.filter(({ kind, key }) => kind === "publication" && key > tail.seen).length;
  return (
    <div className={styles.log}>
      <div
        ref={tail.ref}
        className={styles.messages}
        role="log"
        aria-live="polite"
        aria-relevant="additions"
        aria-label={t("messagesOf", { name })}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
        tabIndex={0}
      >
        {entries.length === 0 && (
          <EmptyState
            icon="broadcast"
            title={t("nothingSaid")}
            action={
              earlier > 0 && (
                <Button size="s" onClick={props.onEarlier}>
                  {t("earlier", { count: earlier })}
                </Button>
              )
            }
          >
            {t("nothingHint")}
          </EmptyState>
        )}
        <ol className={styles.list}>
          {entries.map((entry) => (
            <Item key={entry.key} entry={entry} name={name} channel={channel} />
          ))}
        </ol>
      </div>
      {unseen > 0 && (
        <span className={styles.below}>
          <Button
            size="s"
            tone="primary"
            icon="chevronDown"
            onClick={() => {
              tail.toEnd();
              tail.ref.current?.focus();
            }}
          >
            {t("newBelow", { count: unseen })}
          </Button>
        </span>
      )}
    </div>
  );
}

const GAPS = { anew: "gapAnew", short: "gapShort", unkept: "gapUnkept" } as const;

const Item = memo(function Item({ entry, name, channel }: { entry: Entry; name: string; channel: string }) {
  const t = useTexts(texts);
  switch (entry.kind) {
    case "publication":
      return (
        <Said
          publication={entry.publication}
          recovered={entry.recovered}
          own={entry.publication.sender === name}
          elsewhere={entry.publication.channel !== channel}
        />
      );
    case "waiting":
      return (
        <li className={cx(styles.message, styles.waiting)} data-entry={entry.error ? "failed" : "waiting"}>
          <Head sender={name}>
            <span className={cx(styles.tag, entry.error && styles.bad)} data-tag>
              {entry.error
                ? t("notSent", { reason: `${entry.error.code} ${entry.error.message}` })
                : t("waiting")}
            </span>
          </Head>
          <div className={styles.body} data-body>
            {entry.text}
          </div>
        </li>
      );
    case "recovered":
      return (
        <Divider tone={entry.count > 0 ? "good" : "quiet"} channel={entry.channel} current={channel}>
          {entry.count > 0 ? t("recovered", { count: entry.count }) : t("backNothing")}
        </Divider>
      );
    case "gap":
      return (
        <Divider tone="bad" channel={entry.channel} current={channel}>
          {t(GAPS[entry.reason])}
        </Divider>
      );
  }
});

function Divider(props: { tone: string; channel: string; current: string; children: ReactNode }) {
  return (
    <li className={styles.divider} data-entry="divider" data-tone={props.tone}>
      <span>
        {props.children}
        {props.channel !== props.current && ` · ${props.channel}`}
      </span>
    </li>
  );
}

function Said(props: { publication: Publication; recovered: boolean; own: boolean; elsewhere: boolean }) {
  const { event, data, sender, time, offset, channel } = props.publication;
  const t = useTexts(texts);
  return (
    <li
      className={cx(styles.message, props.own && styles.own)}
      data-entry="publication"
      data-recovered={props.recovered || undefined}
    >
      <Head sender={sender ?? t("server")}>
        {props.elsewhere && <span className={styles.tag}>{channel}</span>}
        {event !== "message" && (
          <code className={styles.tag} data-event>
            {event}
          </code>
        )}
        {props.recovered && <span className={cx(styles.tag, styles.good)}>{t("recoveredTag")}</span>}
        <span className={styles.aside}>
          {time !== undefined && <Clock at={time * 1000} />}
          {offset !== undefined && (
            <span title={t("offset")} data-offset>
              #{offset}
            </span>
          )}
        </span>
      </Head>
      <Body data={data} />
    </li>
  );
}

function Head({ sender, children }: { sender: string; children: ReactNode }) {
  return (
    <div className={styles.head}>
      <Avatar id={sender} name={sender} size={20} />
      <b className={styles.sender} data-sender>
        {sender}
      </b>
      {children}
    </div>
  );
}

/** Text as text; whatever else as JSON. */
function Body({ data }: { data: unknown }) {
  const fields = typeof data === "object" && data !== null ? (data as Record<string, unknown>) : undefined;
  const text = fields === undefined ? data : Object.keys(fields).length === 1 ? fields.text : undefined;
  if (typeof text === "string") {
    return (
      <div className={styles.body} data-body>
        {text}
      </div>
    );
  }
  return (
    <pre className={cx(styles.body, styles.mono)} data-body>
      {JSON.stringify(data, null, 2)}
    </pre>
  );
}
