import type { Block, Me } from "hubbub/chat";
import { useChat, useUser, useView } from "hubbub/react";
import { useEffect, useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { Avatar, Button, Select, toastError } from "../ui/index.ts";
import styles from "./SettingsPage.module.css";
import { texts } from "./texts.ts";

/** Who sees when one was last there, and whom one has blocked. */
export function Privacy() {
  const t = useTexts(texts);
  const chat = useChat();
  const me = useView(chat.me);
  const [blocks, setBlocks] = useState<readonly Block[]>([]);
  useEffect(() => {
    let current = true;
    chat.call("blocks.list", {}).then((list) => current && setBlocks(list.blocks), toastError);
    return () => {
      current = false;
    };
  }, [chat]);

  async function unblock(user: string) {
    try {
      await chat.call("blocks.remove", { user });
      setBlocks((all) => all.filter((each) => each.user !== user));
    } catch (error) {
      toastError(error);
    }
  }

  return (
    <>
      <Select<Me["show_last_seen"]>
        label={t("lastSeen")}
        value={me?.show_last_seen ?? "everyone"}
        disabled={me === undefined}
        onChange={(to) => void chat.call("me.update", { show_last_seen: to }).catch(toastError)}
        options={[
          { value: "everyone", label: t("everyone") },
          { value: "contacts", label: t("contacts") },
          { value: "nobody", label: t("nobody") },
        ]}
      />
      <div>
        <h4 className={styles.subheading}>{t("blocked")}</h4>
        {blocks.length === 0 && <p className={styles.hint}>{t("noneBlocked")}</p>}
        <ul className={styles.rows}>
          {blocks.map((block) => (
            <Blocked key={block.user} user={block.user} onUnblock={() => void unblock(block.user)} />
          ))}
        </ul>
      </div>
    </>
  );
}

function Blocked({ user: id, onUnblock }: { user: string; onUnblock(): void }) {
  const t = useTexts(texts);
  const user = useUser(id);
  return (
    <li className={styles.row}>
      <Avatar id={id} name={user?.name ?? id} src={user?.avatar} size={28} />
      <span className={styles.rowName}>{user?.name || id}</span>
      <Button size="s" onClick={onUnblock}>
        {t("unblock")}
      </Button>
    </li>
  );
}
