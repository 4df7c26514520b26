import { useChat, useView } from "hubbub/react";
import { MAC } from "../app/keys.ts";
import { openHelp } from "../app/overlays.ts";
import { PageHeader } from "../app/PageHeader.tsx";
import { BASE, page } from "../app/page.ts";
import { href } from "../app/routes.ts";
import { signOut } from "../app/session.ts";
import { LANGUAGES, useTexts } from "../i18n/index.ts";
import { Button, Choice, Icon, type IconName, Select } from "../ui/index.ts";
import { Notifications } from "./Notifications.tsx";
import { Privacy } from "./Privacy.tsx";
import { Profile } from "./Profile.tsx";
import styles from "./SettingsPage.module.css";
import { change, useSettings } from "./store.ts";
import { texts } from "./texts.ts";

const SECTIONS = [
  ["profile", "person"],
  ["appearance", "sun"],
  ["language", "at"],
  ["notifications", "bell"],
  ["privacy", "lock"],
  ["keyboard", "edit"],
  ["about", "info"],
] as const satisfies readonly (readonly [keyof typeof texts.english, IconName])[];

type Section = (typeof SECTIONS)[number][0];

/** On a phone the sections are a row that scrolls. */
const bringIntoSight = (element: HTMLElement | null): void =>
  element?.scrollIntoView({ block: "nearest", inline: "center" });

/** What one chooses for oneself, section by section. */
export default function SettingsPage({ section }: { section: string }) {
  const t = useTexts(texts);
  const current: Section = SECTIONS.find(([name]) => name === section)?.[0] ?? "profile";
  return (
    <>
      <PageHeader title={t("title")} />
      <div className={styles.page}>
        <nav className={styles.sections} aria-label={t("sections")}>
          {SECTIONS.map(([name, icon]) => (
            <a
              key={name}
              className={styles.section}
              ref={name === current ? bringIntoSight : undefined}
              href={href({ view: "settings", section: name })}
              aria-current={name === current ? "page" : undefined}
            >
              <Icon name={icon} size={16} />
              {t(name)}
            </a>
          ))}
        </nav>
        <section className={styles.content} aria-labelledby="settings-section">
          <h3 id="settings-section" className={styles.heading}>
            {t(current)}
          </h3>
          <Content section={current} />
        </section>
      </div>
    </>
  );
}

function Content({ section }: { section: Section }) {
  switch (section) {
    case "profile":
      return <Profile />;
    case "appearance":
      return <Appearance />;
    case "language":
      return <LanguageSection />;
    case "notifications":
      return <Notifications />;
    case "privacy":
      return <Privacy />;
    case "keyboard":
      return <Keyboard />;
    case "about":
      return <About />;
  }
}

function Appearance() {
  const t = useTexts(texts);
  const { theme, density, motion } = useSettings();
  return (
    <>
      <Choice
        label={t("theme")}
        value={theme}
        onChange={(to) => change({ theme: to })}
        options={[
          { value: "system", label: t("system"), icon: "gear" },
          { value: "light", label: t("light"), icon: "sun" },
          { value: "dark", label: t("dark"), icon: "moon" },
        ]}
      />
      <Choice
        label={t("density")}
        value={density}
        onChange={(to) => change({ density: to })}
        options={[
          { value: "comfortable", label: t("comfortable") },
          { value: "compact", label: t("compact") },
        ]}
      />
      <Choice
        label={t("motion")}
        value={motion}
        onChange={(to) => change({ motion: to })}
        options={[
          { value: "system", label: t("system") },
          { value: "full", label: t("motionFull") },
          { value: "reduced", label: t("motionReduced") },
        ]}
      />
    </>
  );
}

function LanguageSection() {
  const t = useTexts(texts);
  const { language, direction } = useSettings();
  return (
    <>
      {LANGUAGES.length > 1 && (
        <Select
          label={t("language")}
          hint={t("languageHint")}
          value={language ?? ""}
          onChange={(code) => change({ language: code === "" ? undefined : code })}
          options={[
            { value: "", label: t("browserLanguage") },
            ...LANGUAGES.map(({ code, name }) => ({ value: code, label: name })),
          ]}
        />
      )}
      <Choice
        label={t("direction")}
        value={direction}
        onChange={(to) => change({ direction: to })}
        options={[
          { value: "auto", label: t("directionAuto") },
          { value: "ltr", label: t("ltr") },
          { value: "rtl", label: t("rtl") },
        ]}
      />
    </>
  );
}

function Keyboard() {
  const t = useTexts(texts);
  const { sendWith } = useSettings();
  return (
    <>
      <Choice
        label={t("send")}
        value={sendWith}
        onChange={(to) => change({ sendWith: to })}
        options={[
          { value: "enter", label: t("sendEnter") },
          { value: "mod-enter", label: t("sendMod", { key: MAC ? "⌘" : "Ctrl" }) },
        ]}
      />
      <p className={styles.hint}>{t("sendHint")}</p>
      <div>
        <Button icon="help" onClick={openHelp}>
          {t("shortcuts")}
        </Button>
      </div>
    </>
  );
}

function About() {
  const t = useTexts(texts);
  const me = useView(useChat().me);
  return (
    <>
      {page.version !== undefined && <p>{t("version", { version: page.version })}</p>}
      {me !== undefined && <p>{t("session", { id: me.user.id })}</p>}
      <p>
        <a href={new URL("docs", BASE).href} target="_blank" rel="noreferrer">
          {t("docs")}
        </a>
      </p>
      <div>
        <Button icon="leave" onClick={() => void signOut()}>
          {t("signOut")}
        </Button>
      </div>
    </>
  );
}
