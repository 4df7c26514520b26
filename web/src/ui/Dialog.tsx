import { type FormEvent, type ReactNode, useId, useLayoutEffect, useRef, useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { Button, IconButton } from "./Button.tsx";
import { cx } from "./cx.ts";
import styles from "./Dialog.module.css";
import { texts } from "./texts.ts";

export interface DialogProps {
  open: boolean;
  onClose(): void;
  title: string;
  /** Not shown: for those whose first line says what they are. The title is still read out. */
  hideTitle?: boolean;
  size?: "s" | "m" | "l";
  /** Buttons, the one to press last. */
  footer?: ReactNode;
  /** Given: the dialog is a form, which Enter submits. */
  onSubmit?(): void;
  children: ReactNode;
}

/** A modal dialog. What has `data-autofocus` has the focus, or its first field; Escape and the backdrop close it. */
export function Dialog(props: DialogProps) {
  return props.open ? <OpenDialog {...props} /> : null;
}

const FOCUSABLE = "a[href], button, input, textarea, select, summary, [tabindex]";
const FIELDS = "input:not(:disabled), textarea:not(:disabled), select:not(:disabled)";

function OpenDialog({
  onClose,
  title,
  hideTitle = false,
  size = "m",
  footer,
  onSubmit,
  children,
}: DialogProps) {
  const self = useRef<HTMLDialogElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const t = useTexts(texts);
  const id = useId();
  const [scrolls, setScrolls] = useState(false);

  useLayoutEffect(() => {
    const dialog = self.current;
    if (dialog === null || dialog.open) return;
    const before = document.activeElement;
    dialog.showModal();
    const first =
      dialog.querySelector<HTMLElement>("[data-autofocus]") ??
      body.current?.querySelector<HTMLElement>(FIELDS);
    (first ?? dialog).focus();
    return () => {
      dialog.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);

  // What is longer than the dialog and has nothing that takes the focus is scrolled by keyboard, too.
  useLayoutEffect(() => {
    const inner = body.current;
    if (inner === null) return;
    setScrolls(inner.scrollHeight > inner.clientHeight && inner.querySelector(FOCUSABLE) === null);
  });

  const inside = (
    <>
      <div className={hideTitle ? "visually-hidden" : styles.head}>
        <h2 id={id} className={styles.title}>
          {title}
        </h2>
        {!hideTitle && <IconButton icon="close" label={t("close")} onClick={onClose} />}
      </div>
      <div
        ref={body}
        className={styles.body}
        {...(scrolls && { tabIndex: 0, role: "group", "aria-labelledby": id })}
      >
        {children}
      </div>
      {footer !== undefined && <div className={styles.foot}>{footer}</div>}
    </>
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit?.();
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does it, by the browser
    <dialog
      ref={self}
      tabIndex={-1}
      aria-labelledby={id}
      className={cx(styles.dialog, styles[size])}
      onCancel={(event) => {
        if (event.target !== self.current) return; // a file chooser inside
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === self.current && onClose()}
    >
      {onSubmit === undefined ? (
        <div className={styles.frame}>{inside}</div>
      ) : (
        <form className={styles.frame} onSubmit={submit}>
          {inside}
        </form>
      )}
    </dialog>
  );
}

/** Asks before something that cannot be undone. */
export function ConfirmDialog(props: {
  open: boolean;
  onClose(): void;
  title: string;
  children: ReactNode;
  confirm: string;
  danger?: boolean;
  busy?: boolean;
  onConfirm(): void;
}) {
  const t = useTexts(texts);
  return (
    <Dialog
      open={props.open}
      onClose={props.onClose}
      title={props.title}
      size="s"
      footer={
        <>
          <Button onClick={props.onClose}>{t("cancel")}</Button>
          <Button
            tone={props.danger === true ? "danger" : "primary"}
            busy={props.busy ?? false}
            onClick={props.onConfirm}
            data-autofocus
          >
            {props.confirm}
          </Button>
        </>
      }
    >
      {props.children}
    </Dialog>
  );
}
