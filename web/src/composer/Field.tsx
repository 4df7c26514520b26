import {
  type ClipboardEvent,
  type KeyboardEvent,
  type Ref,
  useEffect,
  useId,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { MAC } from "../app/keys.ts";
import styles from "./Composer.module.css";
import { code, link, newLine, prefix, type Written, wrap } from "./format.ts";
import { grow } from "./grow.ts";
import { Suggestions } from "./Suggestions.tsx";
import { type Token, tokenAt } from "./suggest.ts";
import type { useMentionable } from "./useMentionable.ts";
import { type Suggestion, useSuggestions } from "./useSuggestions.ts";

export interface FieldHandle {
  focus(): void;
  /** Write at the cursor. */
  insert(text: string): void;
  format(change: (written: Written) => Written): void;
}

/** Where one writes: it grows, completes what is begun, and knows the keys of Markdown. */
export function Field(props: {
  ref: Ref<FieldHandle>;
  text: string;
  conversation: string;
  who: ReturnType<typeof useMentionable>;
  label: string;
  sendWith: "enter" | "mod-enter";
  onText(text: string): void;
  onFocus(): void;
  onSend(): void;
  onFiles(files: readonly File[]): void;
  /** Up, where nothing is written. */
  onUp(): void;
  /** Whether there was something to leave. */
  onEscape(): boolean;
}) {
  const { text } = props;
  const id = useId();
  const field = useRef<HTMLTextAreaElement>(null);
  const [token, setToken] = useState<Token>();
  const [active, setActive] = useState(0);
  const [dismissed, setDismissed] = useState("");
  const key = token === undefined ? "" : `${token.kind} ${token.start}`;
  const found = useSuggestions(key === dismissed ? undefined : token, props.conversation, props.who);
  const at = Math.min(active, found.length - 1);

  useLayoutEffect(() => {
    if (field.current !== null && field.current.value === text) grow(field.current);
  }, [text]);

  // On a phone the keyboard comes when it is asked for.
  useEffect(() => {
    if (!matchMedia("(pointer: coarse)").matches) field.current?.focus({ preventScroll: true });
  }, []);

  function look() {
    const element = field.current;
    if (element === null || element.selectionStart !== element.selectionEnd) return setToken(undefined);
    const next = tokenAt(element.value, element.selectionStart);
    if (next === undefined || `${next.kind} ${next.start}` !== dismissed) setDismissed("");
    if (next?.typed !== token?.typed) setActive(0);
    setToken(next);
  }

  /** Write in place of what is between two places, so that the browser can undo it. */
  function replace(start: number, end: number, written: string) {
    const element = field.current;
    if (element === null) return;
    element.focus();
    element.setSelectionRange(start, end);
    // Nothing else keeps the browser's own undo.
    if (!document.execCommand("insertText", false, written)) {
      element.setRangeText(written, start, end, "end");
      props.onText(element.value);
    }
  }
  function format(change: (written: Written) => Written) {
    const element = field.current;
    if (element === null) return;
    const before = element.value;
    const after = change({ text: before, start: element.selectionStart, end: element.selectionEnd });
    let from = 0;
    while (from < before.length && from < after.text.length && before[from] === after.text[from]) from += 1;
    let tail = 0;
    const most = Math.min(before.length, after.text.length) - from;
    while (tail < most && before.at(-1 - tail) === after.text.at(-1 - tail)) tail += 1;
    replace(from, before.length - tail, after.text.slice(from, after.text.length - tail));
    element.setSelectionRange(after.start, after.end);
    look();
  }
  useImperativeHandle(props.ref, () => ({
    focus: () => field.current?.focus({ preventScroll: true }),
    insert: (added) => {
      const element = field.current;
      if (element !== null) replace(element.selectionStart, element.selectionEnd, added);
    },
    format,
  }));

  function pick(one: Suggestion) {
    if (token === undefined) return;
    replace(token.start, token.end, one.insert);
    setToken(undefined);
  }

  function suggesting(event: KeyboardEvent): boolean {
    if (found.length === 0) return false;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      setActive((at + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length);
    } else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey) {
      const one = found[at];
      // A command that is written whole is given, not completed.
      if (event.key === "Enter" && token?.kind === "command" && one?.insert.trim() === text.trim())
        return false;
      if (one !== undefined) pick(one);
    } else if (event.key === "Escape") {
      setDismissed(key);
    } else {
      return false;
    }
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  function press(event: KeyboardEvent<HTMLTextAreaElement>) {
    if (event.nativeEvent.isComposing || suggesting(event)) return;
    const mod = MAC ? event.metaKey : event.ctrlKey;
    if (event.key === "Enter" && !event.altKey) {
      const touch = matchMedia("(pointer: coarse)").matches;
      const sends = mod || (props.sendWith === "enter" && !event.shiftKey && !touch);
      event.preventDefault();
      if (sends) props.onSend();
      else format(newLine);
      return;
    }
    if (event.key === "Escape") {
      if (props.onEscape()) {
        event.preventDefault();
        event.stopPropagation();
      }
      return;
    }
    if (event.key === "ArrowUp" && text === "" && !mod && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      props.onUp();
      return;
    }
    if (!mod || event.altKey) return;
    const change = shortcut(event);
    if (change === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    format(change);
  }

  function paste(event: ClipboardEvent) {
    const files = [...event.clipboardData.files];
    if (files.length > 0) {
      event.preventDefault();
      props.onFiles(files);
      return;
    }
    // An address that is pasted over words makes a link of them.
    const element = field.current;
    const pasted = event.clipboardData.getData("text/plain").trim();
    if (element === null || element.selectionStart === element.selectionEnd) return;
    if (!/^https?:\/\/\S+$/.test(pasted)) return;
    event.preventDefault();
    const { selectionStart: start, selectionEnd: end, value } = element;
    replace(start, end, `[${value.slice(start, end)}](${pasted})`);
  }

  return (
    <div className={styles.fieldFrame}>
      {found.length > 0 && (
        <Suggestions id={`${id}-list`} list={found} active={at} onActive={setActive} onPick={pick} />
      )}
      <textarea
        ref={field}
        className={styles.field}
        dir="auto"
        rows={1}
        data-autofocus
        aria-label={props.label}
        placeholder={props.label}
        aria-autocomplete="list"
        aria-controls={found.length > 0 ? `${id}-list` : undefined}
        aria-activedescendant={found.length > 0 ? `${id}-list-${at}` : undefined}
        autoComplete="off"
        enterKeyHint={props.sendWith === "enter" ? "send" : "enter"}
        value={text}
        onChange={(event) => {
          props.onText(event.target.value);
          look();
        }}
        onSelect={look}
        onKeyDown={press}
        onPaste={paste}
        onFocus={props.onFocus}
        onBlur={() => setToken(undefined)}
      />
    </div>
  );
}

type Change = (written: Written) => Written;

const SHORTCUTS: Readonly<Record<string, Change>> = {
  b: (written) => wrap(written, "**"),
  i: (written) => wrap(written, "_"),
  e: code,
};

/** With Shift: by where the key is, for what it writes is another sign on each keyboard. */
const SHIFTED = new Map<string, Change>([
  ["Digit7", (written) => prefix(written, "1. ")],
  ["Digit8", (written) => prefix(written, "- ")],
  ["Digit9", (written) => prefix(written, "> ")],
  ["KeyX", (written) => wrap(written, "~~")],
  ["KeyU", link], // without Shift, K would be the palette's
]);

const shortcut = (event: KeyboardEvent): Change | undefined =>
  event.shiftKey ? SHIFTED.get(event.code) : SHORTCUTS[event.key.toLowerCase()];
