import type { Bookmark, Bookmarked } from "hubbub/chat";
import { useChat, useView } from "hubbub/react";
import { useEffect, useRef, useState } from "react";
import { PageHeader } from "../app/PageHeader.tsx";
import { useTexts } from "../i18n/index.ts";
import { Button, Dialog, EmptyState, MenuButton, TextField, toast, toastError } from "../ui/index.ts";
import { MessageCard } from "./MessageCard.tsx";
import { PagedList } from "./PagedList.tsx";
import { usePaged } from "./paged.ts";
import styles from "./panes.module.css";
import { texts } from "./texts.ts";

/** What one has bookmarked, the newest first. */
export default function BookmarksPage() {
  const t = useTexts(texts);
  const chat = useChat();
  const known = useView(chat.bookmarks);
  const list = usePaged<Bookmarked>("bookmarks", (cursor) =>
    chat.call("bookmarks.list", { cursor }).then(({ bookmarks, next }) => ({ items: bookmarks, next })),
  );
  const { again } = list;
  const before = useRef(known);
  useEffect(() => {
    if (before.current !== known) again(); // here or on another device
    before.current = known;
  }, [known, again]);

  return (
    <>
      <PageHeader title={t("bookmarks")} hint={t("bookmarksHint")} />
      <div className={styles.body}>
        <div className={styles.page}>
          <PagedList
            list={list}
            label={t("bookmarks")}
            keyOf={({ bookmark }) => `${bookmark.conversation} ${bookmark.message}`}
            empty={
              <EmptyState icon="bookmark" title={t("bookmarksNone")}>
                {t("bookmarksNoneHint")}
              </EmptyState>
            }
          >
            {(each) => <Row {...each} />}
          </PagedList>
        </div>
      </div>
    </>
  );
}

function Row({ bookmark, message }: Bookmarked) {
  const t = useTexts(texts);
  const chat = useChat();
  const [editing, setEditing] = useState(false);
  async function remove() {
    try {
      await chat.unbookmark(bookmark.conversation, bookmark.message);
      const run = () =>
        void chat.bookmark(bookmark.conversation, bookmark.message, bookmark.note).catch(toastError);
      toast(t("removed"), { action: { label: t("undo"), run } });
    } catch (error) {
      toastError(error);
    }
  }
  const menu = (
    <MenuButton
      size="s"
      label={t("more")}
      items={[
        { label: t("editNote"), icon: "edit", onSelect: () => setEditing(true) },
        { label: t("removeBookmark"), icon: "trash", danger: true, onSelect: () => void remove() },
      ]}
    />
  );
  const note = bookmark.note !== undefined && bookmark.note !== "" && (
    <p className={styles.note} dir="auto">
      {bookmark.note}
    </p>
  );
  return (
    <>
      {message === undefined ? (
        <div className={styles.card}>
          <div className={styles.cardTexts}>
            <p className={styles.soft}>{t("gone")}</p>
            {note}
          </div>
          {menu}
        </div>
      ) : (
        <MessageCard message={message} where note={note} actions={menu} />
      )}
      {editing && <NoteDialog bookmark={bookmark} onClose={() => setEditing(false)} />}
    </>
  );
}

function NoteDialog({ bookmark, onClose }: { bookmark: Bookmark; onClose(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const [note, setNote] = useState(bookmark.note ?? "");
  const [busy, setBusy] = useState(false);
  async function save() {
    setBusy(true);
    try {
      await chat.bookmark(bookmark.conversation, bookmark.message, note.trim());
      onClose();
    } catch (error) {
      toastError(error);
      setBusy(false);
    }
  }
  return (
    <Dialog
      open
      onClose={onClose}
      size="s"
      title={t("editNote")}
      onSubmit={() => void save()}
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button tone="primary" type="submit" busy={busy}>
            {t("save")}
          </Button>
        </>
      }
    >
      <TextField label={t("note")} value={note} onChange={setNote} />
    </Dialog>
  );
}
