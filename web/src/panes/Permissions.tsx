import type { ConversationView, Permission, Rank } from "hubbub/chat";
import { useTexts } from "../i18n/index.ts";
import { Select } from "../ui/index.ts";
import styles from "./panes.module.css";
import { texts } from "./texts.ts";

const LABELS = {
  read: "read",
  send: "send",
  reply: "reply",
  react: "react",
  mention_all: "mention_all",
  attach: "attach",
  poll: "poll",
  pin: "pin",
  command: "command",
  edit_own: "edit_own",
  delete_own: "delete_own",
  delete_any: "delete_any",
  invite: "invite2",
  remove: "remove2",
  update: "update",
  moderate: "moderate",
  manage: "manage",
  join: "join",
} as const satisfies Record<Permission, keyof typeof texts.english>;

const RANKS: readonly Rank[] = ["guest", "reader", "member", "moderator", "admin", "owner", "nobody"];
type Chosen = NonNullable<ConversationView["conversation"]["permissions"]>;

/** Who may do what here: what differs from what is usual for its kind. */
export function Permissions({ view, onChange }: { view: ConversationView; onChange(to: Chosen): void }) {
  const t = useTexts(texts);
  const { permissions = {} } = view.conversation;
  function set(permission: Permission, to: Rank | "usual") {
    const { [permission]: _, ...others } = permissions;
    onChange(to === "usual" ? others : { ...others, [permission]: to });
  }
  return (
    <details className={styles.form}>
      <summary>{t("permissions")}</summary>
      <p className={styles.soft}>{t("permissionsHint")}</p>
      <div className={styles.two}>
        {(Object.keys(LABELS) as Permission[]).map((permission) => (
          <Select<Rank | "usual">
            key={permission}
            label={t(LABELS[permission])}
            value={permissions[permission] ?? "usual"}
            onChange={(to) => set(permission, to)}
            options={[
              { value: "usual", label: t("usual") },
              ...RANKS.map((value) => ({ value, label: t(value) })),
            ]}
          />
        ))}
      </div>
    </details>
  );
}
