import type { ConversationView, PartInput } from "hubbub/chat";
import { useChat, useConnection, useTyping, useUpload } from "hubbub/react";
import { Suspense, useCallback, useEffect, useRef, useState } from "react";
import { later } from "../app/later.ts";
import { useTitle } from "../conversations/names.ts";
import { useTexts } from "../i18n/index.ts";
import { Text } from "../messages/Text.tsx";
import { useSettings } from "../settings/store.ts";
import { Button, Icon, IconButton, Popover, toast, toastError } from "../ui/index.ts";
import { Attachments } from "./Attachments.tsx";
import styles from "./Composer.module.css";
import { Field, type FieldHandle } from "./Field.tsx";
import { fits, Length } from "./Length.tsx";
import { mentionsIn } from "./mentions.ts";
import { ReplyBanner } from "./ReplyBanner.tsx";
import { commandOf } from "./suggest.ts";
import { Tools } from "./Tools.tsx";
import { texts } from "./texts.ts";
import { useMentionable } from "./useMentionable.ts";
import { useSlowMode } from "./useSlowMode.ts";
import { useText } from "./useText.ts";
import { onWish, placeOf, wish } from "./wishes.ts";

const EmojiPicker = later(() => import("./EmojiPicker.tsx"));
const Dialogs = later(() => import("./dialogs/Dialogs.tsx"));

/** What is open over the composer. */
export type Opened =
  | { readonly kind: "poll" | "checklist" | "location" | "schedule" }
  | { readonly kind: "command"; readonly name: string; readonly rest: string };

const DAY = 86_400;

/** The field and all that goes with it: what is attached, answered, and how it is sent. */
export function Editor({ view, thread }: { view: ConversationView; thread: number | undefined }) {
  const t = useTexts(texts);
  const chat = useChat();
  const conversation = view.id;
  const place = placeOf(conversation, thread);
  const { text, replyTo, setText, setReply, clear, conflict } = useText(conversation, thread);
  const typing = useTyping(conversation, { thread });
  const uploads = useUpload();
  const online = useConnection().status === "connected";
  const settings = useSettings();
  const title = useTitle(view);
  const [captions, setCaptions] = useState<ReadonlyMap<number, string>>(new Map());
  const [silent, setSilent] = useState(false);
  const [expires, setExpires] = useState(false);
  const [previews, setPreviews] = useState(true);
  const [preview, setPreview] = useState(false);
  const [opened, setOpened] = useState<Opened>();
  const [picking, setPicking] = useState<Element | null>(null);
  const [used, setUsed] = useState(text !== "");
  const who = useMentionable(conversation, used);
  const field = useRef<FieldHandle>(null);
  const { wait, sent: slowed } = useSlowMode(view);

  const { upload } = uploads;
  const attach = useCallback(
    (files: readonly File[]) => {
      for (const file of files) upload(file).catch(() => undefined); // the item says it
      field.current?.focus();
    },
    [upload],
  );
  useEffect(
    () =>
      onWish(place, (what) => {
        if (what.kind === "reply") setReply(what.message);
        else if (what.kind === "files") attach(what.files);
        if (what.kind === "reply" || what.kind === "write") field.current?.focus();
        if (what.kind === "write" && what.text !== undefined) field.current?.insert(what.text);
      }),
    [place, setReply, attach],
  );

  const ready = uploads.items.filter((each) => each.file !== undefined);
  const open = uploads.items.some((each) => each.status === "uploading" || each.status === "checking");
  const something = text.trim() !== "" || ready.length > 0;
  const can = something && !open && fits(text) && wait === 0;

  /** What is to be sent, as it is now. */
  function content() {
    const parts: readonly PartInput[] = ready.map((each) => {
      const caption = captions.get(each.id)?.trim();
      return { type: "file" as const, file: each.file?.id ?? "", ...(caption && { caption }) };
    });
    const said = text.trim();
    const mentions = mentionsIn(said, who.can);
    return {
      ...(said !== "" && { text: said, format: "markdown" as const }),
      parts,
      ...(replyTo !== undefined && { replyTo }),
      ...(thread !== undefined && { thread }),
      ...(mentions && { mentions }),
      ...(silent && { silent }),
      ...(expires && { expires: DAY }),
      ...(!previews && { previews }),
    };
  }
  function reset() {
    clear();
    uploads.clear();
    setCaptions(new Map());
    setSilent(false);
    setExpires(false);
    setPreviews(true);
    setPreview(false);
    typing.stop();
    field.current?.focus();
  }

  async function give(name: string, rest: string, values: Readonly<Record<string, string>> = {}) {
    setText("");
    try {
      const filled = Object.keys(values).length > 0;
      await chat.call("commands.invoke", {
        conversation,
        name,
        ...(rest !== "" && { text: rest }),
        ...(filled && { arguments: values }),
        ...(thread !== undefined && { thread }),
      });
      toast(t("commandSent", { name }));
    } catch (error) {
      toastError(error);
      setText(`/${name} ${rest}`);
    }
  }
  /** A text that is a command, and no message. */
  function command(): boolean {
    const found = uploads.items.length === 0 ? commandOf(text.trimEnd()) : undefined;
    if (found === undefined) return false;
    const { name, rest } = found;
    const registered = chat
      .commands(conversation)
      .get()
      .find((each) => each.name === name);
    if (registered !== undefined) {
      const asks = registered.arguments?.some((each) => each.required === true) === true;
      if (asks && rest === "") setOpened({ kind: "command", name, rest });
      else void give(name, rest);
    } else if (name === "poll" || name === "checklist") {
      setText("");
      setOpened({ kind: name });
    } else if (name === "later") {
      setText(rest);
      setOpened({ kind: "schedule" });
    } else if (name === "shrug") {
      send(`${rest} ¯\\\\\\_(ツ)\\_/¯`.trim());
    } else {
      toast(t("noCommand", { name }), { tone: "danger" });
    }
    return true;
  }
  function send(instead?: string) {
    if (instead === undefined && (!can || command())) {
      if (open) toast(t("notDone"));
      return;
    }
    chat.send(conversation, { ...content(), ...(instead !== undefined && { text: instead }) });
    slowed();
    reset();
    wish(place, { kind: "sent" });
  }
  function sendParts(parts: readonly PartInput[]) {
    chat.send(conversation, { parts, ...(thread !== undefined && { thread }) });
    slowed();
    wish(place, { kind: "sent" });
  }

  return (
    <div className={styles.composer}>
      {!online && <p className={styles.note}>{t("offline")}</p>}
      {conflict !== undefined && (
        <p className={styles.note} role="status">
          {t("conflict")}
          <Button size="s" onClick={() => setText(conflict)}>
            {t("useTheirs")}
          </Button>
          <Button size="s" tone="plain" onClick={() => setText(text)}>
            {t("keepMine")}
          </Button>
        </p>
      )}
      <div className={styles.box}>
        {replyTo !== undefined && (
          <ReplyBanner conversation={conversation} seq={replyTo} onCancel={() => setReply(undefined)} />
        )}
        <Attachments
          uploads={uploads}
          captions={captions}
          onRemoved={() => field.current?.focus()}
          onCaption={(id, caption) => setCaptions(new Map(captions).set(id, caption))}
        />
        {preview ? (
          <div className={styles.preview}>
            <Text text={text} format="markdown" mentions={mentionsIn(text, who.can) as never} />
          </div>
        ) : (
          <Field
            ref={field}
            text={text}
            conversation={conversation}
            who={who}
            label={thread !== undefined ? t("writeReply") : t("writeTo", { name: title })}
            sendWith={settings.sendWith}
            onText={(value) => {
              setText(value);
              setUsed(true);
              if (value !== "") typing.start();
            }}
            onFocus={() => setUsed(true)}
            onSend={() => send()}
            onFiles={attach}
            onUp={() => wish(place, { kind: "editLast" })}
            onEscape={() => {
              if (replyTo === undefined) return false;
              setReply(undefined);
              return true;
            }}
          />
        )}
        <div className={styles.bar}>
          <Tools
            onFiles={attach}
            onOpen={(kind) => setOpened({ kind })}
            onFormat={(change) => field.current?.format(change)}
            onEmoji={(anchor) => setPicking(picking === null ? anchor : null)}
            preview={preview}
            onPreview={() => setPreview(!preview)}
            silent={silent}
            onSilent={() => setSilent(!silent)}
            expires={expires}
            onExpires={() => setExpires(!expires)}
            previews={previews}
            onPreviews={() => setPreviews(!previews)}
            canSchedule={something && !open}
          />
          <span className={styles.space} />
          {silent && (
            <span className={styles.sign} role="img" aria-label={t("silently")} data-tip={t("silently")}>
              <Icon name="bellOff" size={15} />
            </span>
          )}
          {expires && (
            <span
              className={styles.sign}
              role="img"
              aria-label={t("temporarily")}
              data-tip={t("temporarily")}
            >
              <Icon name="clock" size={15} />
            </span>
          )}
          <Length text={text} />
          {wait > 0 && (
            <span className={styles.count} role="timer">
              {t("slow", { count: wait })}
            </span>
          )}
          <IconButton
            icon="send"
            tone={can ? "primary" : "plain"}
            label={t("send")}
            keys={settings.sendWith === "enter" ? "Enter" : "Mod+Enter"}
            disabled={!can}
            onClick={() => send()}
          />
        </div>
      </div>
      <Suspense fallback={null}>
        {picking !== null && (
          <Popover
            anchor={picking}
            onClose={() => setPicking(null)}
            label={t("emoji")}
            placement="above-start"
          >
            <EmojiPicker
              onPick={(emoji) => {
                setPicking(null);
                field.current?.insert(/^[a-z0-9_+-]+$/.test(emoji) ? `:${emoji}: ` : emoji);
              }}
            />
          </Popover>
        )}
        {opened !== undefined && (
          <Dialogs
            opened={opened}
            view={view}
            thread={thread}
            content={content}
            onClose={() => setOpened(undefined)}
            onParts={sendParts}
            onScheduled={reset}
            onCommand={(name, rest, values) => void give(name, rest, values)}
          />
        )}
      </Suspense>
    </div>
  );
}
