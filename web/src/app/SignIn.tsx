import { type FormEvent, useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { Avatar, Button, Spinner, TextArea, TextField } from "../ui/index.ts";
import { page } from "./page.ts";
import styles from "./SignIn.module.css";
import { signInAgain, signInAs, signInWith } from "./session.ts";
import { texts } from "./texts.ts";

const PEOPLE = ["ada", "bob", "grace", "mira"];

/** Who one is: in development whoever one likes, else by a token. */
export default function SignIn({ error, busy }: { error?: string | undefined; busy: boolean }) {
  const t = useTexts(texts);
  return (
    <main className={styles.page}>
      <div className={styles.card}>
        <img src="./web/icon.svg" alt="" width={44} height={44} />
        <h1 className={styles.title}>{page.title}</h1>
        {error !== undefined && (
          <p role="alert" className={styles.error}>
            {error}
          </p>
        )}
        {busy ? <Spinner label={t("signingIn")} /> : page.dev ? <Anybody /> : <ByToken />}
      </div>
    </main>
  );
}

function Anybody() {
  const t = useTexts(texts);
  const [user, setUser] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (user.trim() !== "") void signInAs(user.trim());
  };
  return (
    <>
      <h2 className={styles.question}>{t("signInDev")}</h2>
      <ul className={styles.people}>
        {PEOPLE.map((id) => (
          <li key={id}>
            <button type="button" className={styles.person} onClick={() => void signInAs(id)}>
              <Avatar id={id} name={id} size={44} />
              {id}
            </button>
          </li>
        ))}
      </ul>
      <form className={styles.form} onSubmit={submit}>
        <TextField
          label={t("someoneElse")}
          placeholder={t("userId")}
          value={user}
          onChange={setUser}
          maxLength={255}
          autoCapitalize="none"
          spellCheck={false}
        />
        <Button tone="primary" type="submit" disabled={user.trim() === ""}>
          {t("enter")}
        </Button>
      </form>
      <p className={styles.hint}>{t("signInDevHint")}</p>
    </>
  );
}

function ByToken() {
  const t = useTexts(texts);
  const [token, setToken] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() !== "") void signInWith(token.trim());
  };
  return (
    <>
      {page.tokenUrl !== undefined && (
        <Button tone="primary" onClick={() => void signInAgain()}>
          {t("signInAgain")}
        </Button>
      )}
      <form className={styles.tokenForm} onSubmit={submit}>
        <TextArea
          label={t("token")}
          hint={t("tokenHint")}
          value={token}
          onChange={setToken}
          spellCheck={false}
          autoComplete="off"
        />
        <Button
          tone={page.tokenUrl === undefined ? "primary" : "neutral"}
          type="submit"
          disabled={token.trim() === ""}
        >
          {t("signIn")}
        </Button>
      </form>
    </>
  );
}
