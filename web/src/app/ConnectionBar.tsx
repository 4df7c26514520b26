import type { ConnectionState } from "hubbub";
import { useChatState, useConnection, useHubbub, useOutbox } from "hubbub/react";
import { Suspense, useEffect, useRef, useState } from "react";
import { type Translate, useTexts } from "../i18n/index.ts";
import { Button, cx, Icon, Spinner } from "../ui/index.ts";
import { announce } from "./announce.ts";
import styles from "./ConnectionBar.module.css";
import { later } from "./later.ts";
import { signOut } from "./session.ts";
import { texts } from "./texts.ts";

const OutboxDialog = later(() => import("./OutboxDialog.tsx"));

const PATIENCE = 700; // milliseconds: a drop that heals in this time is no news

interface Trouble {
  readonly tone: "warning" | "danger";
  readonly text: string;
  /** Counts down; not read out each second. */
  readonly when?: string;
  readonly act?: { readonly label: string; run(): void };
  readonly spin?: boolean;
}

/** Says what is wrong with the connection and what waits to be sent; nothing, as long as all is well. */
export function ConnectionBar() {
  const t = useTexts(texts);
  const hubbub = useHubbub();
  const state = useConnection();
  const sync = useChatState();
  const { entries } = useOutbox();
  const [reviewing, setReviewing] = useState(false);
  const steady = useSteady(state);
  const failed = entries.filter((entry) => entry.state === "failed").length;
  const waiting = entries.length - failed;
  const now = useNow(steady.status === "recovering");
  const trouble = troubleOf(steady, now, t, () => hubbub.reconnect());
  const unsynced: Trouble | undefined =
    sync.status === "failed" && trouble === undefined
      ? {
          tone: "danger",
          text: t("syncFailed", { reason: sync.error?.message ?? "" }),
          act: { label: t("tryNow"), run: () => hubbub.reconnect() },
        }
      : undefined;
  const shown = trouble ?? unsynced;

  const wasDown = useRef(false);
  useEffect(() => {
    if (steady.status === "recovering" || steady.status === "offline") wasDown.current = true;
    else if (steady.status === "connected" && wasDown.current) {
      wasDown.current = false;
      announce(t("online"));
    }
  }, [steady.status, t]);

  const outbox =
    failed > 0
      ? t("unsent", { count: failed })
      : shown !== undefined && waiting > 0
        ? t("waiting", { count: waiting })
        : "";
  const dialog = reviewing && entries.length > 0 && (
    <Suspense fallback={null}>
      <OutboxDialog onClose={() => setReviewing(false)} />
    </Suspense>
  );
  if (shown === undefined && outbox === "") return dialog;
  return (
    <div className={cx(styles.bar, styles[shown?.tone ?? "danger"])} role="status">
      {shown?.spin === true ? (
        <Spinner size={14} />
      ) : (
        <Icon name={shown === undefined ? "warning" : "info"} size={16} />
      )}
      <span className={styles.text}>
        {shown?.text} {shown?.when !== undefined && <span aria-hidden="true">{shown.when}</span>} {outbox}
      </span>
      {outbox !== "" && (
        <Button size="s" tone="plain" onClick={() => setReviewing(true)}>
          {t("review")}
        </Button>
      )}
      {shown?.act !== undefined && (
        <Button size="s" tone="plain" onClick={shown.act.run}>
          {shown.act.label}
        </Button>
      )}
      {dialog}
    </div>
  );
}

function troubleOf(
  state: ConnectionState,
  now: number,
  t: Translate<typeof texts.english>,
  reconnect: () => void,
): Trouble | undefined {
  switch (state.status) {
    case "connecting":
      return { tone: "warning", text: t("connecting"), spin: true };
    case "recovering": {
      const seconds = Math.ceil((state.retryAt - now) / 1000);
      const when = seconds > 0 ? t("recoveringIn", { count: seconds }) : t("recoveringNow");
      return {
        tone: "warning",
        text: t("recovering"),
        when,
        spin: seconds <= 0,
        ...(seconds > 0 ? { act: { label: t("tryNow"), run: reconnect } } : {}),
      };
    }
    case "offline":
      return { tone: "warning", text: t("offline") };
    case "failed": {
      const reason = state.error.message;
      return {
        tone: "danger",
        text: t("failed", { reason }),
        act: { label: t("signInAgain"), run: () => void signOut(reason) },
      };
    }
    default:
      return undefined;
  }
}

/** The state, but for troubles that are shorter than PATIENCE. */
function useSteady(state: ConnectionState): ConnectionState {
  const [steady, setSteady] = useState(state);
  const well = state.status === "connected" || state.status === "idle" || state.status === "closed";
  const shown = !well && steady.status !== "connected" && steady.status !== "idle";
  useEffect(() => {
    if (well || shown) {
      setSteady(state);
      return;
    }
    const timer = setTimeout(() => setSteady(state), PATIENCE);
    return () => clearTimeout(timer);
  }, [state, well, shown]);
  return well ? state : steady;
}

/** Milliseconds since the epoch, each second anew while `ticking`. */
function useNow(ticking: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!ticking) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [ticking]);
  return now;
}
