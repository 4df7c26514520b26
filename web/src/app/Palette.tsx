import { useChat, useConversations } from "hubbub/react";
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import { iconOf, titleOf } from "../conversations/look.ts";
import { useMyId } from "../conversations/names.ts";
import { useUserSearch } from "../conversations/UserPicker.tsx";
import { useTexts } from "../i18n/index.ts";
import { Avatar, Dialog, Icon, type IconName, Kbd, toastError } from "../ui/index.ts";
import { type Command, useAllCommands } from "./commands.ts";
import { best } from "./fuzzy.ts";
import { closeOverlay } from "./overlays.ts";
import styles from "./Palette.module.css";
import { go } from "./router.ts";
import { texts } from "./texts.ts";

interface Result {
  readonly key: string;
  readonly title: string;
  readonly hint?: string | undefined;
  readonly icon?: IconName | undefined;
  /** A face instead of a sign: the id of a user. */
  readonly face?: string | undefined;
  readonly avatar?: string | null | undefined;
  readonly keys?: string | undefined;
  run(): void;
}

const AT_MOST = 8; // of each kind

/** One field to go to any conversation or person, or to do anything that has a command. */
export default function Palette({ start }: { start: string }) {
  const t = useTexts(texts);
  const id = useId();
  const [text, setText] = useState(start);
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const results = useResults(text);
  const active = Math.min(at, results.length - 1);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the active one is in sight, whatever it is now
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [active, results]);

  function choose(result: Result | undefined) {
    if (result === undefined) return;
    closeOverlay();
    result.run();
  }
  function key(event: KeyboardEvent) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setAt((active + step + results.length) % Math.max(1, results.length));
    } else if (event.key === "Enter" && !event.nativeEvent.isComposing) {
      event.preventDefault();
      choose(results[active]);
    }
  }

  return (
    <Dialog open onClose={closeOverlay} title={t("palette")} hideTitle>
      <div className={styles.palette}>
        <div className={styles.field}>
          <Icon name="search" />
          <input
            className={styles.input}
            aria-label={t("palette")}
            placeholder={t("paletteHint")}
            role="combobox"
            aria-expanded={results.length > 0}
            aria-controls={`${id}-list`}
            aria-autocomplete="list"
            aria-activedescendant={results.length > 0 ? `${id}-${active}` : undefined}
            autoComplete="off"
            spellCheck={false}
            value={text}
            onChange={(event) => {
              setText(event.target.value);
              setAt(0);
            }}
            onKeyDown={key}
            data-autofocus
          />
        </div>
        <div ref={list} id={`${id}-list`} role="listbox" aria-label={t("palette")} className={styles.list}>
          {results.map((result, index) => (
            // biome-ignore lint/a11y/useFocusableInteractive: the field has the focus, and says which is active
            // biome-ignore lint/a11y/useKeyWithClickEvents: Enter in the field does it
            <div
              key={result.key}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === active}
              className={styles.result}
              onClick={() => choose(result)}
              onPointerMove={() => index !== active && setAt(index)}
            >
              {result.face !== undefined ? (
                <Avatar id={result.face} name={result.title} src={result.avatar} size={24} />
              ) : (
                <span className={styles.icon}>
                  <Icon name={result.icon ?? "chevronEnd"} />
                </span>
              )}
              <span className={styles.title}>{result.title}</span>
              {result.hint !== undefined && <span className={styles.hint}>{result.hint}</span>}
              {result.keys !== undefined && <Kbd keys={result.keys} />}
            </div>
          ))}
        </div>
        {results.length === 0 && <p className={styles.none}>{t("paletteNone")}</p>}
        <p className="visually-hidden" role="status">
          {t("paletteResults", { count: results.length })}
        </p>
      </div>
    </Dialog>
  );
}

function useResults(text: string): readonly Result[] {
  const t = useTexts(texts);
  const chat = useChat();
  const me = useMyId();
  const views = useConversations();
  const commands = useAllCommands();
  const onlyCommands = text.startsWith(">");
  const query = (onlyCommands ? text.slice(1) : text).trim();
  const { users } = useUserSearch(onlyCommands ? "" : query);

  return useMemo(() => {
    const offered = new Map(commands.map((command) => [command.id, command]));
    const shown = [...offered.values()].filter((command) => command.hidden !== true && command.told !== true);
    const asResult = (command: Command): Result => ({
      key: `do ${command.id}`,
      title: command.title,
      hint: command.group,
      icon: command.icon,
      keys: command.keys?.[0],
      run: command.run,
    });
    if (onlyCommands) return best(shown, query, (command) => command.title, 50).map(asResult);

    const known = best(views, query, (view) => titleOf(view, me), query === "" ? 12 : AT_MOST).map(
      (view): Result => {
        return {
          key: `go ${view.conversation.id}`,
          title: titleOf(view, me),
          hint: view.unread > 0 ? String(view.unread) : undefined,
          icon: iconOf(view, me),
          face: view.peer?.id === me ? undefined : view.peer?.id,
          avatar: view.peer?.avatar,
          run: () => go({ view: "conversation", conversation: view.conversation.id }),
        };
      },
    );
    if (query === "") return [...known, ...shown.slice(0, 4).map(asResult)];
    const peers = new Set(views.map((view) => view.peer?.id));
    const people = users
      .filter((user) => !peers.has(user.id))
      .slice(0, AT_MOST)
      .map(
        (user): Result => ({
          key: `write ${user.id}`,
          title: user.name || user.id,
          hint: t("people"),
          face: user.id,
          avatar: user.avatar,
          run: () => {
            chat
              .call("conversations.direct", { user: user.id })
              .then(({ conversation }) =>
                go({ view: "conversation", conversation: conversation.conversation.id }),
              )
              .catch(toastError);
          },
        }),
      );
    const search: Result = {
      key: "search",
      title: t("searchFor", { text: query }),
      icon: "search",
      run: () => go({ view: "search", query }),
    };
    const does = best(shown, query, (command) => command.title, AT_MOST).map(asResult);
    return [...known, ...people, ...does, search];
  }, [query, onlyCommands, views, me, commands, users, chat, t]);
}
