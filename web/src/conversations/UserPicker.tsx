import type { User } from "hubbub/chat";
import { useChat, useConversations } from "hubbub/react";
import { type KeyboardEvent, type ReactNode, useEffect, useId, useMemo, useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { Avatar, Icon, TextField, toastError } from "../ui/index.ts";
import { useMyId } from "./names.ts";
import { texts } from "./texts.ts";
import styles from "./UserPicker.module.css";

export interface UserPickerProps {
  label: string;
  hint?: ReactNode;
  /** Those who are chosen already: above the field, to be taken back. */
  chosen: readonly User[];
  onChange(chosen: readonly User[]): void;
  /** Called with the one who is chosen, instead of collecting. */
  onPick?(user: User): void;
  /** Ids of those who are not to be offered. */
  without?: readonly string[];
}

/** Find people by what their name or id begins with. Arrows and Enter choose, Backspace takes the last back. */
export function UserPicker({ label, hint, chosen, onChange, onPick, without = [] }: UserPickerProps) {
  const t = useTexts(texts);
  const id = useId();
  const me = useMyId();
  const [text, setText] = useState("");
  const { users: found, done } = useUserSearch(text.trim());
  const users = found.filter(
    (user) => !without.includes(user.id) && !chosen.some((each) => each.id === user.id),
  );
  const [at, setAt] = useState(0);
  const active = Math.min(at, users.length - 1);

  function pick(user: User | undefined) {
    if (user === undefined) return;
    setAt(0);
    if (onPick === undefined) {
      setText("");
      onChange([...chosen, user]);
    } else {
      onPick(user);
    }
  }
  function key(event: KeyboardEvent) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      setAt((active + step + users.length) % Math.max(1, users.length));
    } else if (event.key === "Enter" && users.length > 0) {
      event.preventDefault();
      pick(users[active]);
    } else if (event.key === "Backspace" && text === "" && chosen.length > 0) {
      onChange(chosen.slice(0, -1));
    }
  }

  return (
    <div className={styles.picker}>
      {chosen.length > 0 && (
        <ul className={styles.chosen} aria-label={label}>
          {chosen.map((user) => (
            <li key={user.id}>
              <button
                type="button"
                className={styles.chip}
                onClick={() => onChange(chosen.filter((each) => each.id !== user.id))}
              >
                <Avatar id={user.id} name={user.name ?? ""} src={user.avatar} size={20} />
                <span className="visually-hidden">{t("remove")} </span>
                {user.name || user.id}
                <Icon name="close" size={13} />
              </button>
            </li>
          ))}
        </ul>
      )}
      <TextField
        label={label}
        hint={hint}
        icon="search"
        value={text}
        onChange={(value) => {
          setText(value);
          setAt(0);
        }}
        onKeyDown={key}
        role="combobox"
        aria-expanded={users.length > 0}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={users.length > 0 ? `${id}-${active}` : undefined}
        data-autofocus
      />
      <div id={`${id}-list`} role="listbox" aria-label={label} className={styles.list}>
        {users.map((user, index) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the field has the focus, and says which is active
          // biome-ignore lint/a11y/useKeyWithClickEvents: Enter in the field does it
          <div
            key={user.id}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === active}
            className={styles.option}
            onClick={() => pick(user)}
            onPointerMove={() => setAt(index)}
          >
            <Avatar id={user.id} name={user.name ?? ""} src={user.avatar} size={28} />
            <span className={styles.name}>{user.id === me ? t("notes") : user.name || user.id}</span>
            <span className={styles.id}>{user.id}</span>
          </div>
        ))}
      </div>
      {users.length === 0 && done && text.trim() !== "" && (
        <p className={styles.none} role="status">
          {t("noPeople", { text: text.trim() })}
        </p>
      )}
    </div>
  );
}

const PAUSE = 150; // milliseconds without a key, before it is asked for
const SEEN = 20; // as many are offered

/** Users whose id or a word of whose name begins with `text`; with "" those one has written to. */
export function useUserSearch(text: string): { users: readonly User[]; done: boolean } {
  const chat = useChat();
  const known = useConversations();
  const recent = useMemo(() => known.flatMap(({ peer }) => peer ?? []).slice(0, SEEN), [known]);
  const [answer, setAnswer] = useState<{ users: readonly User[]; of: string } | null>(null);
  useEffect(() => {
    if (text === "") return;
    let current = true;
    const ask = () =>
      chat.call("users.query", { prefix: text, limit: SEEN }).then(
        (found) => current && setAnswer({ users: found.users, of: text }),
        (error: unknown) => current && toastError(error),
      );
    const timer = setTimeout(() => void ask(), PAUSE);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [chat, text]);
  if (text === "") return { users: recent, done: true };
  return { users: answer?.users ?? [], done: answer?.of === text };
}
