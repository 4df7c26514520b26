import type { MessageItem, PollPart } from "hubbub/chat";
import { useEffect, useState } from "react";
import { formatCount, formatRelative, useTexts } from "../../i18n/index.ts";
import { Button, ConfirmDialog, cx, Icon, toastError } from "../../ui/index.ts";
import { may, useRoom } from "../room.ts";
import { texts } from "../texts.ts";
import styles from "./Parts.module.css";

/** A poll: votes count at once, and results are shown as the poll says. */
export function Poll({ part, item }: { part: PollPart; item: MessageItem }) {
  const t = useTexts(texts);
  const room = useRoom();
  const { chat, conversation, me } = room;
  const { seq, sender, annotations } = item.message;
  const state = annotations?.poll;
  const { mine, vote } = useVotes(item, part);
  const [closing, setClosing] = useState(false);
  const now = Date.now() / 1000;
  const closed = state?.closed !== undefined || (part.closes !== undefined && part.closes <= now);
  const can = seq !== 0 && !closed && may(room, "react");
  const when = part.results ?? "always";
  const shown = when === "always" || closed || (when === "after_vote" && mine.length > 0);
  const votes = new Map(state?.options?.map((each) => [each.id, each.votes ?? 0]));
  const voters = state?.voters ?? 0;
  const most = part.max_votes ?? part.options.length;

  function choose(id: string): void {
    const has = mine.includes(id);
    if (part.multiple !== true) vote(has ? [] : [id]);
    else if (has) vote(mine.filter((each) => each !== id));
    else if (mine.length < most) vote([...mine, id]);
  }

  const notes = [
    part.anonymous === true && t("pollAnonymous"),
    part.multiple === true &&
      (part.max_votes === undefined ? t("pollMultiple") : t("pollMost", { count: part.max_votes })),
    closed
      ? t("pollClosed")
      : part.closes !== undefined && t("pollCloses", { when: formatRelative(part.closes) }),
  ].filter((each): each is string => each !== false);
  return (
    <section className={styles.box} aria-label={`${t("poll")}: ${part.question}`}>
      <p className={styles.title} dir="auto">
        {part.question}
      </p>
      {notes.length > 0 && <p className={styles.small}>{notes.join(" · ")}</p>}
      <ul className={cx(styles.options, part.multiple === true && styles.several)}>
        {part.options.map((option, at) => {
          const id = option.id ?? String(at + 1);
          const count = votes.get(id) ?? 0;
          const chosen = mine.includes(id);
          return (
            <li key={id}>
              <button
                type="button"
                className={cx(styles.option, chosen && styles.chosen)}
                aria-pressed={chosen}
                disabled={!can}
                onClick={() => choose(id)}
              >
                {shown && (
                  <span
                    className={styles.bar}
                    style={{ inlineSize: `${voters > 0 ? (count / voters) * 100 : 0}%` }}
                  />
                )}
                <span className={styles.tick}>{chosen && <Icon name="check" size={12} />}</span>
                <span className={styles.optionText} dir="auto" aria-hidden={shown || undefined}>
                  {option.text}
                </span>
                {shown && (
                  <>
                    <span className={styles.votes} aria-hidden="true">
                      {formatCount(count, 9999)}
                    </span>
                    <span className="visually-hidden">
                      {t("pollOption", { text: option.text, votes: t("pollVotes", { count }) })}
                    </span>
                  </>
                )}
              </button>
            </li>
          );
        })}
      </ul>
      <div className={styles.foot}>
        <span>
          {shown
            ? t("pollVoters", { count: voters })
            : t(when === "closed" ? "pollHiddenClosed" : "pollHidden")}
        </span>
        {shown && part.anonymous !== true && voters > 0 && (
          <Button size="s" tone="plain" onClick={() => room.act("voters", item)}>
            {t("pollWho")}
          </Button>
        )}
        {mine.length > 0 && can && (
          <Button size="s" tone="plain" onClick={() => vote([])}>
            {t("pollRetract")}
          </Button>
        )}
        {seq !== 0 && !closed && (sender === me || may(room, "moderate")) && (
          <Button size="s" tone="plain" onClick={() => setClosing(true)}>
            {t("pollClose")}
          </Button>
        )}
      </div>
      <ConfirmDialog
        open={closing}
        onClose={() => setClosing(false)}
        title={t("pollCloseTitle")}
        confirm={t("pollClose")}
        onConfirm={() => {
          setClosing(false);
          chat.call("polls.close", { conversation, message: seq }).catch(toastError);
        }}
      >
        {t("pollCloseHint")}
      </ConfirmDialog>
    </section>
  );
}

/** One's own votes: as the poll names them; asked for where it does not. */
function useVotes(item: MessageItem, part: PollPart) {
  const { chat, conversation, me } = useRoom();
  const { seq, annotations } = item.message;
  const named = annotations?.poll?.options
    ?.filter((each) => each.users?.includes(me ?? ""))
    .map((each) => each.id);
  const [own, setOwn] = useState<readonly string[]>();
  const unsure = part.anonymous === true || (annotations?.poll?.voters ?? 0) > 0;
  const voters = annotations?.poll?.voters;
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again when the number of voters changes
  useEffect(() => {
    if (seq === 0 || !unsure) return;
    let wanted = true;
    chat.call("polls.get", { conversation, message: seq }).then(
      (poll) => wanted && setOwn(poll.mine ?? []),
      () => undefined,
    );
    return () => {
      wanted = false;
    };
  }, [chat, conversation, seq, unsure, voters]);
  const vote = (options: readonly string[]) => {
    const before = own;
    setOwn(options);
    chat.vote(conversation, seq, options).catch((error: unknown) => {
      setOwn(before);
      toastError(error);
    });
  };
  return { mine: own ?? named ?? [], vote };
}
