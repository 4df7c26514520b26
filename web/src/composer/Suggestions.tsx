import { useTexts } from "../i18n/index.ts";
import { EmojiOf } from "../messages/Text.tsx";
import { Avatar, Icon } from "../ui/index.ts";
import styles from "./Suggestions.module.css";
import { texts } from "./texts.ts";
import type { Suggestion } from "./useSuggestions.ts";

/** What can be chosen for what is being written; the field keeps the focus, and says which is active. */
export function Suggestions(props: {
  id: string;
  list: readonly Suggestion[];
  active: number;
  onActive(at: number): void;
  onPick(one: Suggestion): void;
}) {
  const t = useTexts(texts);
  return (
    <div id={props.id} role="listbox" aria-label={t("suggestions")} className={styles.list}>
      {props.list.map((one, at) => (
        // biome-ignore lint/a11y/useFocusableInteractive: the field has the focus
        // biome-ignore lint/a11y/useKeyWithClickEvents: Enter in the field does it
        <div
          key={one.key}
          id={`${props.id}-${at}`}
          role="option"
          aria-selected={at === props.active}
          className={styles.option}
          onPointerMove={() => props.onActive(at)}
          onPointerDown={(event) => event.preventDefault()}
          onClick={() => props.onPick(one)}
        >
          <span className={styles.picture}>
            {one.user !== undefined ? (
              <Avatar id={one.user.id} name={one.user.name ?? ""} src={one.user.avatar} size={22} />
            ) : one.emoji !== undefined ? (
              one.emoji
            ) : one.custom !== undefined ? (
              <EmojiOf name={one.custom.name} />
            ) : (
              one.icon !== undefined && <Icon name={one.icon} size={16} />
            )}
          </span>
          <span className={styles.title}>{one.title}</span>
          <span className={styles.hint}>{one.hint}</span>
        </div>
      ))}
    </div>
  );
}
