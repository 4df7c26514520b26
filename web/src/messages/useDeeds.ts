import type { MessageItem } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { useCallback, useMemo, useState } from "react";
import { go } from "../app/router.ts";
import { href } from "../app/routes.ts";
import { placeOf, wish } from "../composer/wishes.ts";
import { gistOfPart } from "../conversations/look.ts";
import { translate, useTexts } from "../i18n/index.ts";
import { type Anchor, type MenuItem, toast, toastError } from "../ui/index.ts";
import { canDo, type Deed, type Room } from "./room.ts";
import { texts } from "./texts.ts";

/** What is open over the messages: a dialog, or the picker of reactions at an anchor. */
export interface Open {
  readonly deed: Exclude<
    Deed,
    "menu" | "reply" | "thread" | "edit" | "pin" | "bookmark" | "copyLink" | "copyText"
  >;
  readonly item: MessageItem;
  readonly anchor: Anchor | undefined;
}

/** Do things with messages of a list: at once, or by what opens for it. */
export function useDeeds(conversation: string, thread: number | undefined) {
  const t = useTexts(texts);
  const chat = useChat();
  const [open, setOpen] = useState<Open | null>(null);
  const [menu, setMenu] = useState<{ item: MessageItem; anchor: Anchor } | null>(null);
  const [editing, setEditing] = useState<string>();

  const act = useCallback(
    (deed: Deed, item: MessageItem, anchor?: Anchor): void => {
      const { message } = item;
      const { seq } = message;
      switch (deed) {
        case "menu":
          setMenu({ item, anchor: anchor ?? document.body });
          return;
        case "reply":
          wish(placeOf(conversation, thread), { kind: "reply", message: seq });
          return;
        case "thread":
          go({ view: "conversation", conversation, pane: { kind: "thread", root: seq } });
          return;
        case "edit":
          setEditing(item.key);
          return;
        case "pin":
          (message.annotations?.pin === undefined
            ? chat.pin(conversation, seq)
            : chat.unpin(conversation, seq)
          ).catch(toastError);
          return;
        case "bookmark": {
          const has = chat.bookmarks
            .get()
            .some((each) => each.conversation === conversation && each.message === seq);
          const done = has ? chat.unbookmark(conversation, seq) : chat.bookmark(conversation, seq);
          done.then(
            () => !has && toast(translate(texts, "bookmarkedToast"), { tone: "success" }),
            toastError,
          );
          return;
        }
        case "copyText":
          copy((message.parts ?? []).map(textOf).filter(Boolean).join("\n\n"), "textCopied");
          return;
        case "copyLink":
          copy(linkTo(conversation, seq, message.thread), "linkCopied");
          return;
        default:
          setOpen({ deed, item, anchor });
      }
    },
    [chat, conversation, thread],
  );

  const stopEditing = useCallback(() => setEditing(undefined), []);
  const close = useCallback(() => setOpen(null), []);
  const closeMenu = useCallback(() => setMenu(null), []);

  const itemsOf = useMemo(
    () =>
      (room: Room, item: MessageItem): readonly MenuItem[] => {
        const { message } = item;
        const at = menu?.anchor;
        const one = (
          deed: Deed,
          label: string,
          icon: NonNullable<Extract<MenuItem, { icon?: unknown }>["icon"]>,
          keys?: string,
        ): readonly MenuItem[] =>
          canDo(room, item, deed)
            ? [
                {
                  label,
                  icon,
                  ...(keys === undefined ? {} : { keys }),
                  ...(deed === "delete" && { danger: true }),
                  onSelect: () => act(deed, item, at),
                },
              ]
            : [];
        const pinned = message.annotations?.pin !== undefined;
        const groups: readonly (readonly MenuItem[])[] = [
          [
            ...one("react", t("react"), "emoji", "A"),
            ...one("reply", t("reply"), "reply", "R"),
            ...one("thread", t("replyInThread"), "thread", "T"),
            ...one("forward", t("forward"), "forward", "F"),
            ...one("edit", t("edit"), "edit", "E"),
          ],
          [
            ...one("pin", pinned ? t("unpin") : t("pin"), "pin", "P"),
            ...one(
              "bookmark",
              room.bookmarked.has(message.seq) ? t("unbookmark") : t("bookmark"),
              "bookmark",
              "B",
            ),
            ...one("remind", t("remind"), "bell", "M"),
          ],
          [
            ...one("copyText", t("copyText"), "copy", "Y"),
            ...one("copyLink", t("copyLink"), "link", "L"),
            ...one("readers", t("readers"), "eye"),
            ...one("whoReacted", t("whoReacted"), "group"),
            ...one("versions", t("versions"), "clock"),
          ],
          [...one("report", t("report"), "flag"), ...one("delete", t("delete"), "trash", "Delete")],
        ];
        return groups
          .filter((group) => group.length > 0)
          .flatMap((group, index) => (index === 0 ? group : (["separator", ...group] as const)));
      },
    [t, act, menu],
  );

  return { act, open, close, menu, closeMenu, itemsOf, editing, stopEditing };
}

const textOf = (part: Parameters<typeof gistOfPart>[0]) =>
  part.type === "text" ? part.text : gistOfPart(part);

function linkTo(conversation: string, seq: number, thread: number | undefined): string {
  const route =
    thread === undefined
      ? ({ view: "conversation", conversation, message: seq } as const)
      : ({
          view: "conversation",
          conversation,
          pane: { kind: "thread", root: thread, message: seq },
        } as const);
  return new URL(href(route), location.href.replace(/[?#].*$/, "")).href;
}

function copy(text: string, done: "textCopied" | "linkCopied"): void {
  navigator.clipboard
    .writeText(text)
    .then(() => toast(translate(texts, done), { tone: "success" }), toastError);
}
