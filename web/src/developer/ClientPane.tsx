import type { TransportName } from "hubbub";
import { useView } from "hubbub/react";
import { type FormEvent, useState } from "react";
import { page } from "../app/page.ts";
import { type Translate, useTexts } from "../i18n/index.ts";
import { Avatar, Button, cx, IconButton, Select, TextField } from "../ui/index.ts";
import { Commands, Refused } from "./Commands.tsx";
import type { As, Client, ClientState } from "./client.ts";
import styles from "./developer.module.css";
import { FrameList } from "./FrameList.tsx";
import { MessageLog } from "./MessageLog.tsx";
import { texts } from "./texts.ts";
import { useReference } from "./useReference.ts";

const TRANSPORTS: readonly TransportName[] = ["websocket", "sse", "polling"];
const SHOWN = 12;

type T = Translate<typeof texts.english>;

/** How one client stands, in a word, and the colour of it. */
export function standing(state: ClientState, t: T): { tone: "good" | "wait" | "warn" | "bad"; text: string } {
  const { connection, outcome, dropped } = state;
  if (dropped) return { tone: "bad", text: t("droppedState") };
  switch (connection.status) {
    case "idle":
    case "closed":
      return { tone: "wait", text: t("idle") };
    case "connecting":
      return { tone: "wait", text: t("connecting") };
    case "recovering":
    case "offline":
      return { tone: "warn", text: t("offline") };
    case "failed":
      return { tone: "bad", text: t("ended", { reason: connection.error.message }) };
    case "connected":
      switch (outcome?.kind) {
        case undefined:
          return { tone: "good", text: t("live") };
        case "gap":
          return { tone: "warn", text: t("liveGap") };
        case "refused":
          return {
            tone: "bad",
            text: t("refused", { channel: state.channels[0] ?? "", reason: outcome.reason }),
          };
        case "recovered":
          return outcome.count > 0
            ? { tone: "good", text: t("liveRecovered", { count: outcome.count }) }
            : { tone: "good", text: t("liveNothing") };
      }
  }
}

export const nameOf = (state: ClientState, t: T): string => {
  if (state.as.kind === "user") return state.as.user;
  return state.connection.status === "connected" && state.connection.user !== ""
    ? state.connection.user
    : t("anonymous");
};

/** One client: who it is, how it stands, what it sees, and what it can be told to do. */
export function ClientPane(props: {
  client: Client;
  channel: string;
  at: number;
  hidden: boolean;
  tab: boolean;
}) {
  const { client, channel, at } = props;
  const t = useTexts(texts);
  const state = useView(client.state);
  const { connection, dropped } = state;
  const name = nameOf(state, t);
  const { tone, text } = standing(state, t);
  return (
    <section
      id={`client-${at}`}
      className={cx(styles.client, dropped && styles.isDropped)}
      aria-label={t("client", { name })}
      role={props.tab ? "tabpanel" : undefined}
      hidden={props.hidden}
      data-client={at}
    >
      <header className={styles.clientHead}>
        <Avatar id={name} name={name} size={28} />
        <Identity key={identityKey(state.as)} as={state.as} onChange={(as) => client.become(as)} />
        <p className={styles.state} role="status" data-tone={tone} data-state>
          <span className={styles.dot} aria-hidden="true" />
          <span>{text}</span>
        </p>
      </header>
      <div className={styles.clientTools}>
        <Select
          label={t("transport")}
          hideLabel
          value={state.transport}
          onChange={(to) => client.use(to)}
          options={TRANSPORTS.map((value) => ({ value, label: t(value) }))}
        />
        {connection.status === "failed" || connection.status === "idle" ? (
          <Button tone="primary" onClick={() => client.start()}>
            {t("connectAgain")}
          </Button>
        ) : (
          <Button
            tone={dropped ? "primary" : "neutral"}
            onClick={() => (dropped ? client.restore() : client.drop())}
          >
            {t(dropped ? "restoreNetwork" : "dropNetwork")}
          </Button>
        )}
        <IconButton
          icon="refresh"
          label={t("reconnect")}
          disabled={connection.status !== "connected"}
          onClick={() => client.reconnect()}
        />
        {connection.status === "connected" && (
          <span className={cx(styles.soft, styles.clamp)} data-session>
            {t("sessionOf", {
              user: connection.user || t("anonymous"),
              session: connection.session,
              transport: t(connection.transport),
            })}
          </span>
        )}
      </div>
      {connection.status === "failed" && <Failed error={connection.error} />}
      <Presence state={state} />
      {state.channels.length > 1 && (
        <div className={styles.presence}>
          <h3 className={styles.small}>{t("alsoIn")}</h3>
          <ul className={styles.chips}>
            {state.channels.slice(1).map((each) => (
              <li key={each} className={styles.chip}>
                {each}
                <IconButton
                  icon="close"
                  size="s"
                  label={t("leaveChannel", { channel: each })}
                  onClick={() => void client.run({ kind: "unsubscribe", channel: each })}
                />
              </li>
            ))}
          </ul>
        </div>
      )}
      <MessageLog
        entries={state.entries}
        name={name}
        channel={channel}
        earlier={state.earlier}
        onEarlier={() => void client.showEarlier()}
      />
      <Composer name={name} onSay={(said) => void client.say(said)} />
      <Commands client={client} channel={channel} exchanges={state.exchanges} />
      <FrameList log={client.frames} name={name} />
    </section>
  );
}

const identityKey = (as: As): string =>
  as.kind === "user" ? `user ${as.user}` : as.kind === "token" ? `token ${as.token}` : as.kind;

function Identity({ as, onChange }: { as: As; onChange(as: As): void }) {
  const t = useTexts(texts);
  const [kind, setKind] = useState(as.kind);
  const [text, setText] = useState(as.kind === "user" ? as.user : "");
  const choose = (to: As["kind"]) => {
    setKind(to);
    setText("");
    if (to === "nobody") onChange({ kind: "nobody" });
  };
  const give = () => {
    const given = text.trim();
    if (as.kind === "user" && kind === "user" && (given === "" || given === as.user)) return setText(as.user);
    if (given === "") return;
    onChange(kind === "token" ? { kind, token: given } : { kind: "user", user: given });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    give();
  };
  return (
    <form className={styles.identity} onSubmit={submit}>
      <Select
        hideLabel
        label={t("identity")}
        value={kind}
        onChange={choose}
        options={[
          ...(page.dev ? [{ value: "user" as const, label: t("asUser") }] : []),
          { value: "token", label: t("asToken") },
          { value: "nobody", label: t("asNobody") },
        ]}
      />
      {kind !== "nobody" && (
        <span className={styles.grow}>
          <TextField
            hideLabel
            label={t(kind === "user" ? "userName" : "token")}
            placeholder={t(kind === "user" ? "userName" : "token")}
            value={text}
            onChange={setText}
            onBlur={kind === "user" ? give : undefined}
            maxLength={kind === "user" ? 64 : 8192}
            required
            spellCheck={false}
            autoCapitalize="none"
          />
        </span>
      )}
      {kind === "token" && (
        <Button size="s" type="submit">
          {t("enter")}
        </Button>
      )}
    </form>
  );
}

/** Why it does not come back, and what to do about it. */
function Failed({ error }: { error: unknown }) {
  return (
    <div className={styles.failed} role="alert">
      <Refused error={error} reference={useReference()} />
    </div>
  );
}

function Presence({ state }: { state: ClientState }) {
  const t = useTexts(texts);
  const { members, users, hidden, connection } = state;
  const here = connection.status === "connected" && !state.dropped;
  const shown = here ? members.slice(0, SHOWN) : [];
  const title = here && members.length > 0 ? t("here", { count: members.length }) : t("nobodyHere");
  const note =
    state.dropped || connection.status === "recovering" || connection.status === "offline"
      ? t("unknownOffline")
      : hidden
        ? t("hidden")
        : here && users > members.length
          ? t("tooMany", { count: users })
          : undefined;
  return (
    <div className={styles.presence} data-presence>
      <h3 className={styles.small}>{title}</h3>
      <ul className={styles.chips}>
        {shown.map((user) => (
          <li key={user} className={styles.chip} title={user}>
            <Avatar id={user} name={user} size={18} />
            <span className={styles.clamp} data-member>
              {user}
            </span>
          </li>
        ))}
        {here && members.length > SHOWN && (
          <li className={styles.soft}>{t("more", { count: members.length - SHOWN })}</li>
        )}
      </ul>
      {note !== undefined && <p className={styles.soft}>{note}</p>}
    </div>
  );
}

function Composer({ name, onSay }: { name: string; onSay(text: string): void }) {
  const t = useTexts(texts);
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() !== "") onSay(text);
    setText("");
  };
  return (
    <form className={styles.composer} onSubmit={submit}>
      <span className={styles.grow}>
        <TextField
          hideLabel
          label={t("message")}
          placeholder={t("messageAs", { name })}
          value={text}
          onChange={setText}
          maxLength={4000}
          enterKeyHint="send"
        />
      </span>
      <Button tone="primary" type="submit" icon="send">
        {t("send")}
      </Button>
    </form>
  );
}
