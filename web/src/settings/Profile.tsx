import type { Me } from "hubbub/chat";
import { useChat, useView } from "hubbub/react";
import { type FormEvent, useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { Avatar, Button, Skeleton, TextField, toast, toastError } from "../ui/index.ts";
import styles from "./SettingsPage.module.css";
import { texts } from "./texts.ts";

/** One's name and picture, as others see them. */
export function Profile() {
  const me = useView(useChat().me);
  return me === undefined ? <Skeleton lines={3} /> : <Form key={me.user.updated ?? 0} me={me} />;
}

function Form({ me }: { me: Me }) {
  const t = useTexts(texts);
  const chat = useChat();
  const [name, setName] = useState(me.user.name ?? "");
  const [avatar, setAvatar] = useState(me.user.avatar ?? "");
  const [busy, setBusy] = useState(false);
  const changed = name !== (me.user.name ?? "") || avatar !== (me.user.avatar ?? "");

  async function save(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    try {
      await chat.call("me.update", {
        name: name.trim(),
        avatar: avatar.trim() === "" ? null : avatar.trim(),
      });
      toast(t("saved"), { tone: "success" });
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className={styles.form} onSubmit={(event) => void save(event)}>
      <div className={styles.face}>
        <Avatar id={me.user.id} name={name} src={avatar} size={64} />
        <p className={styles.hint}>{t("userId", { id: me.user.id })}</p>
      </div>
      <TextField label={t("name")} hint={t("nameHint")} value={name} onChange={setName} autoComplete="name" />
      <TextField
        label={t("picture")}
        hint={t("pictureHint")}
        type="url"
        value={avatar}
        onChange={setAvatar}
      />
      <div>
        <Button tone="primary" type="submit" busy={busy} disabled={!changed}>
          {t("save")}
        </Button>
      </div>
    </form>
  );
}
