import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { useTexts } from "../i18n/index.ts";
import { Button, IconButton } from "./Button.tsx";
import { cx } from "./cx.ts";
import { Icon } from "./Icon.tsx";
import styles from "./Toasts.module.css";
import { texts } from "./texts.ts";
import { dismiss, onToasts, type Toast, toasts } from "./toasts.ts";

/** All toasts; one for the app. They are read out when they come, and stay while pointed at. */
export function Toasts() {
  const all = useSyncExternalStore(onToasts, toasts, toasts);
  const self = useRef<HTMLElement>(null);
  useEffect(() => {
    // Above dialogs, which are in the top layer: the last that was shown there is the uppermost.
    const element = self.current;
    if (element === null) return;
    if (element.matches(":popover-open")) element.hidePopover();
    if (all.length > 0) element.showPopover();
  }, [all]);
  return (
    <section
      ref={self}
      popover="manual"
      aria-live="polite"
      aria-relevant="additions"
      className={styles.toasts}
    >
      {all.map((each) => (
        <OneToast key={each.id} toast={each} />
      ))}
    </section>
  );
}

function OneToast({ toast }: { toast: Toast }) {
  const t = useTexts(texts);
  const [held, setHeld] = useState(false);
  const { id, tone = "neutral", action, stay = action === undefined ? 5000 : 8000 } = toast;
  useEffect(() => {
    if (held || stay === 0) return;
    const timer = setTimeout(() => dismiss(id), stay);
    return () => clearTimeout(timer);
  }, [held, stay, id]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: pointing at it holds it, nothing else
    <div
      className={cx(styles.toast, styles[tone])}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      {tone !== "neutral" && <Icon name={tone === "danger" ? "warning" : "check"} size={16} />}
      <span className={styles.text}>{toast.text}</span>
      {action !== undefined && (
        <Button
          size="s"
          tone="plain"
          onClick={() => {
            dismiss(id);
            action.run();
          }}
        >
          {action.label}
        </Button>
      )}
      <IconButton icon="close" size="s" label={t("dismiss")} onClick={() => dismiss(id)} />
    </div>
  );
}
