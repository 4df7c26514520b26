import { type KeyboardEvent, type PointerEvent, type ReactNode, useRef, useState } from "react";
import { direction, useTexts } from "../i18n/index.ts";
import { change, settings, useSettings } from "../settings/store.ts";
import styles from "./SplitView.module.css";
import { texts } from "./texts.ts";

/**
 * A pane at one side of the rest, whose width can be changed by dragging its edge or with arrows, and is remembered
 * under `name`. Widths are in px.
 */
export function ResizablePane(props: {
  name: string;
  /** What it holds, for the edge's label. */
  label: string;
  side: "start" | "end";
  usual: number;
  least: number;
  most: number;
  children: ReactNode;
}) {
  const { name, side, usual, least, most } = props;
  const t = useTexts(texts);
  const kept = useSettings().widths[name];
  const [dragged, setDragged] = useState<number | null>(null);
  const start = useRef({ x: 0, width: 0 });
  const within = (width: number) => Math.round(Math.min(most, Math.max(least, width)));
  const width = dragged ?? within(kept ?? usual);
  const sign = (side === "start") === (direction() === "ltr") ? 1 : -1; // of a movement to the right
  const keep = (to: number) => change({ widths: { ...settings().widths, [name]: within(to) } });

  function down(event: PointerEvent) {
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    start.current = { x: event.clientX, width };
    setDragged(width);
  }
  function move(event: PointerEvent) {
    if (dragged !== null) setDragged(within(start.current.width + sign * (event.clientX - start.current.x)));
  }
  function up() {
    if (dragged !== null) keep(dragged);
    setDragged(null);
  }
  function key(event: KeyboardEvent) {
    const step = { ArrowRight: 16 * sign, ArrowLeft: -16 * sign, Home: least - width, End: most - width }[
      event.key
    ];
    if (step === undefined) return;
    event.preventDefault();
    keep(width + step);
  }

  const edge = (
    // biome-ignore lint/a11y/useSemanticElements: an <hr> cannot be moved
    <div
      role="separator"
      aria-orientation="vertical"
      aria-label={t("resize", { name: props.label })}
      aria-valuenow={width}
      aria-valuemin={least}
      aria-valuemax={most}
      tabIndex={0}
      className={styles.edge}
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={up}
      onDoubleClick={() => keep(usual)}
      onKeyDown={key}
    />
  );
  return (
    <div
      className={styles.pane}
      data-side={side}
      data-dragged={dragged !== null || undefined}
      style={{ inlineSize: width }}
    >
      {side === "end" && edge}
      <div className={styles.content}>{props.children}</div>
      {side === "start" && edge}
    </div>
  );
}
