import type { MessageItem } from "hubbub/chat";
import { useUser } from "hubbub/react";
import { useEffect, useState } from "react";
import { useTexts } from "../../i18n/index.ts";
import { Avatar, Button, Dialog, Spinner, toastError } from "../../ui/index.ts";
import { type Room, useRoom } from "../room.ts";
import { EmojiOf } from "../Text.tsx";
import { texts } from "../texts.ts";
import styles from "./dialogs.module.css";

export type What = "readers" | "whoReacted" | "voters";

interface One {
  readonly user: string;
  /** What it is listed for: an emoji, an option. */
  readonly with?: string;
}

interface Page {
  readonly people: readonly One[];
  readonly next: string | undefined;
}

async function ask(room: Room, item: MessageItem, what: What, cursor: string | undefined): Promise<Page> {
  const { chat, conversation } = room;
  const params = {
    conversation,
    message: item.message.seq,
    limit: 100,
    ...(cursor !== undefined && { cursor }),
  };
  if (what === "readers") {
    const { receipts, next } = await chat.call("receipts.list", params);
    return { people: receipts, next };
  }
  if (what === "whoReacted") {
    const { reactions, next } = await chat.call("reactions.list", params);
    return { people: reactions.map(({ user, name }) => ({ user, with: name })), next };
  }
  const { votes, next } = await chat.call("polls.voters", params);
  const poll = item.message.parts?.find((part) => part.type === "poll");
  const options = new Map(
    poll?.type === "poll" ? poll.options.map((each, at) => [each.id ?? String(at + 1), each.text]) : [],
  );
  return { people: votes.map(({ user, option }) => ({ user, with: options.get(option) ?? option })), next };
}

const TITLES = { readers: "readBy", whoReacted: "whoReacted", voters: "pollWho" } as const;

/** Who has read a message, reacted to it, or voted there. */
export default function PeopleDialog(props: { what: What; item: MessageItem; onClose(): void }) {
  const { what, item, onClose } = props;
  const t = useTexts(texts);
  const room = useRoom();
  const [pages, setPages] = useState<readonly Page[]>([]);
  const [done, setDone] = useState(false);
  const { chat, conversation } = room;
  const { seq } = item.message;
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked once for a message
  useEffect(() => {
    let wanted = true;
    ask(room, item, what, undefined).then(
      (page) => {
        if (!wanted) return;
        setPages([page]);
        setDone(true);
      },
      (error: unknown) => {
        toastError(error);
        if (wanted) setDone(true);
      },
    );
    return () => {
      wanted = false;
    };
  }, [chat, conversation, seq, what]);
  const people = pages.flatMap((page) => page.people);
  const next = pages.at(-1)?.next;
  return (
    <Dialog open onClose={onClose} title={t(TITLES[what])} size="s">
      {!done ? (
        <Spinner label={t("loading")} />
      ) : people.length === 0 ? (
        <p>{t("nobody")}</p>
      ) : (
        <ul className={styles.list}>
          {people.map((one) => (
            <li key={`${one.user} ${one.with ?? ""}`}>
              <Person one={one} emoji={what === "whoReacted"} />
            </li>
          ))}
        </ul>
      )}
      {next !== undefined && (
        <Button
          onClick={() =>
            void ask(room, item, what, next).then((page) => setPages([...pages, page]), toastError)
          }
        >
          {t("showMore")}
        </Button>
      )}
    </Dialog>
  );
}

function Person({ one, emoji }: { one: One; emoji: boolean }) {
  const user = useUser(one.user);
  return (
    <div className={styles.row}>
      <Avatar id={one.user} name={user?.name ?? ""} src={user?.avatar} size={28} />
      <span className={styles.name}>{user?.name || one.user}</span>
      {one.with !== undefined &&
        (emoji ? (
          <span className={styles.emoji}>
            <EmojiOf name={one.with} bare />
          </span>
        ) : (
          <span className={styles.soft}>{one.with}</span>
        ))}
    </div>
  );
}
