import { useEffect, useState } from "react";
import { BASE, page } from "../app/page.ts";
import { href } from "../app/routes.ts";
import { currentSession } from "../app/session.ts";
import { useTexts } from "../i18n/index.ts";
import styles from "./developer.module.css";
import { texts } from "./texts.ts";

const EVERY = 5000; // milliseconds
const TONES = { checking: "wait", ready: "good", unready: "warn", down: "bad" } as const;

const LINKS = [
  ["apiDocs", "docs"],
  ["openapi", "openapi.json"],
  ["asyncapi", "asyncapi.json"],
  ["metrics", "metrics"],
] as const;

/** How the server is, which it is, and what else it says of itself. */
export function Health() {
  const t = useTexts(texts);
  const health = useHealth();
  return (
    <>
      <p className={styles.state} role="status" data-tone={TONES[health]} data-health={health}>
        <span className={styles.dot} aria-hidden="true" />
        <span>{t(health)}</span>
        {page.version !== undefined && <span className={styles.version}>v{page.version}</span>}
      </p>
      <nav className={styles.links} aria-label={t("links")}>
        {page.chat !== false && currentSession().status !== "in" && (
          <a href={href({ view: "home" })}>{t("chat")}</a>
        )}
        {LINKS.map(([name, path]) => (
          <a key={name} href={new URL(path, BASE).href} target="_blank" rel="noreferrer">
            {t(name)}
          </a>
        ))}
      </nav>
    </>
  );
}

/** What `health/ready` says, every five seconds. */
function useHealth(): keyof typeof TONES {
  const [health, setHealth] = useState<keyof typeof TONES>("checking");
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    let left = false;
    const ask = async () => {
      let found: keyof typeof TONES = "down";
      try {
        const { ok } = await fetch(new URL("health/ready", BASE), { cache: "no-store" });
        found = ok ? "ready" : "unready";
      } catch {
        // it cannot be reached: that is the answer
      }
      if (left) return;
      setHealth(found);
      timer = setTimeout(ask, EVERY);
    };
    void ask();
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, []);
  return health;
}
