import { useTyping } from "hubbub/react";
import { useNames } from "../conversations/names.ts";
import { useTexts } from "../i18n/index.ts";
import styles from "./Messages.module.css";
import { texts } from "./texts.ts";

/** Who types, in a line that is always there, so that nothing moves. */
export function Typing({ conversation, thread }: { conversation: string; thread: number | undefined }) {
  const t = useTexts(texts);
  const { users } = useTyping(conversation, { thread });
  const names = useNames(users.slice(0, 2));
  const [first = "", second = ""] = users.map((user) => names(user) || user);
  const said =
    users.length === 0
      ? ""
      : users.length === 1
        ? t("typingOne", { name: first })
        : users.length === 2
          ? t("typingTwo", { first, second })
          : t("typingMany");
  return (
    <p className={styles.typing}>
      {said !== "" && (
        <>
          <span className={styles.dots} aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          {said}
        </>
      )}
    </p>
  );
}
