import { usePresence, useUser } from "hubbub/react";
import type { ReactNode } from "react";
import { href } from "../app/routes.ts";
import { Avatar } from "../ui/index.ts";
import styles from "./panes.module.css";

/** A user in a list, who leads to the profile if a conversation is named. */
export function Person(props: {
  id: string;
  conversation?: string | undefined;
  hint?: ReactNode;
  /** Beside the name. */
  badges?: ReactNode;
  /** At the end: buttons. */
  children?: ReactNode;
}) {
  const user = useUser(props.id);
  const presence = usePresence(props.id)?.availability;
  const name = user?.name || props.id;
  const { conversation } = props;
  return (
    <div className={styles.person}>
      <Avatar
        id={props.id}
        name={name}
        src={user?.avatar}
        size={32}
        presence={presence === "offline" ? undefined : presence}
      />
      <div className={styles.personTexts}>
        <span className={styles.personName}>
          {conversation === undefined ? (
            <span className={styles.name} dir="auto">
              {name}
            </span>
          ) : (
            <a
              className={styles.name}
              dir="auto"
              href={href({ view: "conversation", conversation, pane: { kind: "user", user: props.id } })}
            >
              {name}
            </a>
          )}
          {props.badges}
        </span>
        {props.hint !== undefined && <span className={styles.soft}>{props.hint}</span>}
      </div>
      {props.children}
    </div>
  );
}
