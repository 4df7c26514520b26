import { useView } from "hubbub/react";
import { memo, useDeferredValue, useState } from "react";
import { formatSize, useTexts } from "../i18n/index.ts";
import { Button, cx, Select, TextField } from "../ui/index.ts";
import shared from "./developer.module.css";
import { Fold } from "./Fold.tsx";
import styles from "./FrameList.module.css";
import { copied, type Filter, type Frame, type FrameLog, type Frames, json, note, shows } from "./frames.ts";
import { Clock, CopyButton } from "./parts.tsx";
import { texts } from "./texts.ts";
import { useTail } from "./useTail.ts";

/** What went over the wire: the last frames of one client, to be filtered, stopped, opened and copied. */
export function FrameList({ log, name }: { log: FrameLog; name: string }) {
  const t = useTexts(texts);
  const now = useView(log);
  return (
    <Fold name="frames" title={t("frames")} count={now.total} aside={formatSize(now.bytes)}>
      <Inspector log={log} now={now} name={name} />
    </Fold>
  );
}

function Inspector({ log, now, name }: { log: FrameLog; now: Frames; name: string }) {
  const t = useTexts(texts);
  const [filter, setFilter] = useState<Filter>("but-pings");
  const [search, setSearch] = useState("");
  const [held, setHeld] = useState<Frames>();
  const { frames, types } = held ?? now;
  const wanted = useDeferredValue(search);
  const shown = frames.filter((frame) => shows(frame, filter, wanted));
  const tail = useTail<HTMLDivElement>(shown.at(-1)?.key ?? 0);
  const filters: { value: Filter; label: string }[] = [
    { value: "but-pings", label: t("butPings") },
    { value: "all", label: t("all") },
    { value: "out", label: t("onlySent") },
    { value: "in", label: t("onlyReceived") },
    ...types.map((type) => ({ value: `type:${type}` as const, label: type })),
  ];
  return (
    <>
      <div className={shared.tools}>
        <Select<Filter> hideLabel label={t("show")} value={filter} onChange={setFilter} options={filters} />
        <span className={shared.grow}>
          <TextField
            hideLabel
            label={t("search")}
            placeholder={t("search")}
            icon="search"
            clearable
            value={search}
            onChange={setSearch}
            spellCheck={false}
          />
        </span>
        <span className={shared.buttons}>
          <Button
            size="s"
            icon={held ? "play" : "pause"}
            aria-pressed={held !== undefined}
            onClick={() => setHeld(held ? undefined : now)}
          >
            {t(held ? "resume" : "pause")}
          </Button>
          <Button
            size="s"
            icon="trash"
            onClick={() => {
              log.clear();
              if (held) setHeld({ ...held, frames: [] });
            }}
          >
            {t("clear")}
          </Button>
          <CopyButton label={t("copyAll")} read={() => copied(shown)} />
        </span>
      </div>
      <section
        ref={tail.ref}
        className={styles.frames}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
        tabIndex={0}
        aria-label={t("framesOf", { name })}
      >
        {shown.length === 0 && <p className={styles.none}>{t("noFrames")}</p>}
        <ol>
          {shown.map((frame) => (
            <Row key={frame.key} frame={frame} />
          ))}
        </ol>
      </section>
    </>
  );
}

const Row = memo(function Row({ frame }: { frame: Frame }) {
  const t = useTexts(texts);
  const [open, setOpen] = useState(false);
  const out = frame.direction === "out";
  return (
    <li data-frame={frame.type}>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary className={styles.frame}>
          <span
            className={cx(styles.arrow, out && styles.out)}
            role="img"
            aria-label={t(out ? "sent" : "received")}
          >
            {out ? "↑" : "↓"}
          </span>
          <Clock at={frame.at} precise />
          <span className={styles.type} data-type>
            {frame.type}
          </span>
          <span className={styles.note}>{note(frame)}</span>
          <span className={styles.size}>{formatSize(frame.bytes)}</span>
        </summary>
        {open && (
          <div className={styles.opened}>
            {frame.http !== undefined && <p className={shared.soft}>{frame.http}</p>}
            <Json content={frame.content} />
            <CopyButton label={t("copyFrame")} read={() => json(frame.content)} />
          </div>
        )}
      </details>
    </li>
  );
});

/** JSON over several lines; where it is too wide or long it scrolls. */
export function Json({ content }: { content: unknown }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
    <pre className={styles.json} tabIndex={0}>
      {json(content)}
    </pre>
  );
}
