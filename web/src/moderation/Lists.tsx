import type { WordList } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { PagedList } from "../panes/PagedList.tsx";
import { usePaged } from "../panes/paged.ts";
import {
  Button,
  ConfirmDialog,
  Dialog,
  EmptyState,
  IconButton,
  TextArea,
  TextField,
  toastError,
} from "../ui/index.ts";
import styles from "./moderation.module.css";
import { when } from "./names.tsx";
import { texts } from "./texts.ts";

/** Words that rules look for. */
export default function Lists({ admin }: { admin: boolean }) {
  const t = useTexts(texts);
  const chat = useChat();
  const [editing, setEditing] = useState<WordList | "new">();
  const [removing, setRemoving] = useState<string>();
  const list = usePaged<WordList>("lists", () =>
    chat.call("moderation.blocklists.list", {}).then(({ lists }) => ({ items: lists })),
  );
  const edit = (name: string) =>
    chat.call("moderation.blocklists.get", { list: name }).then(setEditing, toastError);
  async function remove(name: string) {
    await chat.call("moderation.blocklists.delete", { list: name }).catch(toastError);
    setRemoving(undefined);
    list.again();
  }
  return (
    <>
      {admin && (
        <div>
          <Button icon="plus" onClick={() => setEditing("new")}>
            {t("newList")}
          </Button>
        </div>
      )}
      <PagedList
        list={list}
        label={t("lists")}
        keyOf={(each) => each.name}
        empty={<EmptyState icon="list" title={t("listsNone")} />}
      >
        {(each) => (
          <div className={styles.row}>
            <span className={styles.grow}>
              <strong>{each.name}</strong>
              <br />
              <span className={styles.soft}>
                {t("count", { count: each.count })} · {when(each.updated)}
              </span>
            </span>
            <Button size="s" onClick={() => void edit(each.name)}>
              {t(admin ? "editList" : "show")}
            </Button>
            {admin && (
              <IconButton
                icon="trash"
                size="s"
                label={`${t("remove")}: ${each.name}`}
                onClick={() => setRemoving(each.name)}
              />
            )}
          </div>
        )}
      </PagedList>
      {editing !== undefined && (
        <ListDialog
          list={editing === "new" ? undefined : editing}
          admin={admin}
          onClose={(changed) => {
            setEditing(undefined);
            if (changed) list.again();
          }}
        />
      )}
      <ConfirmDialog
        open={removing !== undefined}
        onClose={() => setRemoving(undefined)}
        title={t("removeTitle", { name: removing ?? "" })}
        confirm={t("remove")}
        danger
        onConfirm={() => removing !== undefined && void remove(removing)}
      >
        <p>{t("removeText")}</p>
      </ConfirmDialog>
    </>
  );
}

function ListDialog(props: { list: WordList | undefined; admin: boolean; onClose(changed: boolean): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const { list, admin, onClose } = props;
  const [name, setName] = useState(list?.name ?? "");
  const [words, setWords] = useState((list?.words ?? []).join("\n"));
  const [busy, setBusy] = useState(false);
  async function save() {
    if (!admin || name.trim() === "") return;
    setBusy(true);
    const said = words
      .split("\n")
      .map((word) => word.trim())
      .filter((word) => word !== "");
    try {
      await chat.call("moderation.blocklists.put", { list: name.trim(), words: said });
      onClose(true);
    } catch (error) {
      toastError(error);
      setBusy(false);
    }
  }
  return (
    <Dialog
      open
      onClose={() => onClose(false)}
      title={list?.name ?? t("newList")}
      onSubmit={() => void save()}
      footer={
        <>
          <Button onClick={() => onClose(false)}>{t("cancel")}</Button>
          {admin && (
            <Button tone="primary" type="submit" busy={busy} disabled={name.trim() === ""}>
              {t("save")}
            </Button>
          )}
        </>
      }
    >
      {list === undefined && <TextField label={t("listName")} value={name} onChange={setName} />}
      <TextArea
        label={t("words")}
        hint={t("wordsHint")}
        value={words}
        onChange={setWords}
        rows={12}
        readOnly={!admin}
      />
    </Dialog>
  );
}
