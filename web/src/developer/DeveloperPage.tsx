import { useView } from "hubbub/react";
import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { PageHeader } from "../app/PageHeader.tsx";
import { BASE, page } from "../app/page.ts";
import { currentSession } from "../app/session.ts";
import { direction, useTexts } from "../i18n/index.ts";
import { change, useSettings } from "../settings/store.ts";
import { CountBadge, EmptyState, IconButton, TextField } from "../ui/index.ts";
import { ClientPane, nameOf, standing } from "./ClientPane.tsx";
import { type As, Client } from "./client.ts";
import styles from "./developer.module.css";
import { Health } from "./Health.tsx";
import { CopyButton, isChannel } from "./parts.tsx";
import { texts } from "./texts.ts";

const CHANNEL = "lobby";
const THEMES = ["system", "light", "dark"] as const;

/** Clients side by side, what they see of each other, and all that goes over their wires. */
export default function DeveloperPage(_props: { rest: string }) {
  const t = useTexts(texts);
  if (page.dev || page.playground === true) return <Playground />;
  return (
    <>
      <PageHeader title={t("title")} />
      <EmptyState icon="code" title={t("off")}>
        {t("offHint")}
      </EmptyState>
    </>
  );
}

/** Who the clients are at first: oneself, if one is known, and somebody else. */
function people(): readonly [As, As] {
  if (!page.dev) return [{ kind: "nobody" }, { kind: "nobody" }];
  const session = currentSession();
  const state = session.status === "in" ? session.hubbub.connection.get() : undefined;
  const user = state?.status === "connected" && state.user !== "" ? state.user : "alice";
  return [
    { kind: "user", user },
    { kind: "user", user: user === "bob" ? "alice" : "bob" },
  ];
}

const NARROW = matchMedia("(max-width: 900px)");

const useNarrow = (): boolean =>
  useSyncExternalStore(
    (listener) => {
      NARROW.addEventListener("change", listener);
      return () => NARROW.removeEventListener("change", listener);
    },
    () => NARROW.matches,
  );

function Playground() {
  const t = useTexts(texts);
  const [channel, setChannel] = useState(CHANNEL);
  const [clients] = useState(() => people().map((as) => new Client(as, CHANNEL)));
  const [selected, setSelected] = useState(0);
  const narrow = useNarrow();
  useEffect(() => {
    for (const client of clients) client.start();
    return () => {
      for (const client of clients) client.stop();
    };
  }, [clients]);
  const enter = (name: string) => {
    if (name === channel) return;
    setChannel(name);
    for (const client of clients) client.enter(name);
  };
  return (
    <>
      <PageHeader title={t("title")} hint={t("hint")}>
        <Health />
        <Theme />
      </PageHeader>
      <div className={styles.page}>
        <Intro channel={channel} onEnter={enter} open={!narrow} />
        {narrow && <ClientTabs clients={clients} selected={selected} onSelect={setSelected} />}
        <div className={styles.clients}>
          {clients.map((client, at) => (
            <Seen key={client.id} client={client} on={!narrow || at === selected}>
              <ClientPane
                client={client}
                channel={channel}
                at={at}
                tab={narrow}
                hidden={narrow && at !== selected}
              />
            </Seen>
          ))}
        </div>
      </div>
    </>
  );
}

/** What is on the screen is not unread. */
function Seen({ client, on, children }: { client: Client; on: boolean; children: React.ReactNode }) {
  const { unread } = useView(client.state);
  useEffect(() => {
    if (on && unread > 0) client.seen();
  }, [client, on, unread]);
  return children;
}

/** On a narrow screen one client is seen at a time. */
function ClientTabs(props: { clients: readonly Client[]; selected: number; onSelect(at: number): void }) {
  const t = useTexts(texts);
  const { clients, selected, onSelect } = props;
  const list = useRef<HTMLDivElement>(null);
  const move = ({ key }: KeyboardEvent) => {
    if (key !== "ArrowLeft" && key !== "ArrowRight") return;
    const step = (key === "ArrowRight") === (direction() !== "rtl") ? 1 : -1;
    const to = (selected + step + clients.length) % clients.length;
    onSelect(to);
    list.current?.querySelectorAll<HTMLElement>("[role=tab]")[to]?.focus();
  };
  return (
    <div ref={list} className={styles.tabs} role="tablist" aria-label={t("clients")} onKeyDown={move}>
      {clients.map((client, at) => (
        <ClientTab
          key={client.id}
          client={client}
          at={at}
          selected={at === selected}
          onSelect={() => onSelect(at)}
        />
      ))}
    </div>
  );
}

function ClientTab(props: { client: Client; at: number; selected: boolean; onSelect(): void }) {
  const t = useTexts(texts);
  const state = useView(props.client.state);
  return (
    <button
      type="button"
      role="tab"
      id={`client-tab-${props.at}`}
      className={styles.tab}
      aria-selected={props.selected}
      aria-controls={`client-${props.at}`}
      tabIndex={props.selected ? 0 : -1}
      onClick={props.onSelect}
    >
      <span className={styles.dot} data-tone={standing(state, t).tone} aria-hidden="true" />
      {nameOf(state, t)}
      {!props.selected && <CountBadge count={state.unread} label={t("unread", { count: state.unread })} />}
    </button>
  );
}

/** The channel that both are in, and what one may do with it. */
function Intro(props: { channel: string; onEnter(name: string): void; open: boolean }) {
  const t = useTexts(texts);
  const [name, setName] = useState(props.channel);
  const good = isChannel(name);
  const command = useRef<HTMLElement>(null);
  const enter = () => good && props.onEnter(name);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    enter();
  };
  return (
    <section className={styles.intro} aria-label={t("tries")}>
      <form className={styles.channelForm} onSubmit={submit}>
        <TextField
          label={t("channel")}
          value={name}
          onChange={setName}
          onBlur={enter}
          maxLength={255}
          required
          error={good ? undefined : t("channelHint")}
          spellCheck={false}
          autoCapitalize="none"
        />
      </form>
      <details className={styles.tries} open={props.open}>
        <summary>{t("tries")}</summary>
        <ol>
          <li>{t("trySay")}</li>
          <li>{t("tryDrop")}</li>
          <li>{t("tryRestart")}</li>
          <li>
            {t("tryPublish")}
            <span className={styles.curl}>
              {/* biome-ignore lint/a11y/useSemanticElements: it is no group of fields, but needs a name */}
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys */}
              <code ref={command} tabIndex={0} role="group" aria-label={t("curl")}>
                {curl(props.channel)}
              </code>
              <CopyButton
                read={() => curl(props.channel)}
                instead={() => command.current && getSelection()?.selectAllChildren(command.current)}
              />
            </span>
          </li>
        </ol>
      </details>
    </section>
  );
}

/** A channel's characters need no quoting in a shell or in JSON. */
const curl = (channel: string): string =>
  `curl ${BASE}v1/publish -H "Authorization: Bearer $API_KEY" -H 'Content-Type: application/json' ` +
  `-d '{"channel": "${channel}", "data": {"text": "Hello from curl"}}'`;

/** Where nobody is signed in, there are no settings. */
function Theme() {
  const t = useTexts(texts);
  const { theme } = useSettings();
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
  return (
    <IconButton
      icon={theme === "light" ? "sun" : theme === "dark" ? "moon" : "gear"}
      label={t("theme", { theme: t(theme) })}
      onClick={() => change({ theme: next })}
    />
  );
}
