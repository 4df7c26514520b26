import type { KeyboardEvent } from "react";
import type { Command } from "../app/commands.ts";
import { placeOf, wish } from "../composer/wishes.ts";
import type { Translate } from "../i18n/index.ts";
import { canDo, type Deed, type Room } from "./room.ts";
import type { Row } from "./rows.ts";
import type { texts } from "./texts.ts";

/** What the keys do on the message that has the focus. */
const KEYS: Readonly<Record<string, Deed>> = {
  a: "react",
  r: "reply",
  t: "thread",
  e: "edit",
  f: "forward",
  p: "pin",
  b: "bookmark",
  y: "copyText",
  l: "copyLink",
  m: "remind",
  Delete: "delete",
  Backspace: "delete",
  ".": "menu",
  Enter: "menu",
};

/** These keys as commands, for the help sheet: each deed with what it is called there. */
export function commandsOf(t: Translate<typeof texts.english>): readonly Command[] {
  const called: Partial<Record<Deed, string>> = {
    react: t("react"),
    reply: t("reply"),
    thread: t("replyInThread"),
    edit: t("edit"),
    forward: t("forward"),
    pin: t("pin"),
    bookmark: t("bookmark"),
    copyText: t("copyText"),
    copyLink: t("copyLink"),
    remind: t("remind"),
    delete: t("delete"),
    menu: t("more"),
  };
  return (Object.keys(called) as Deed[]).map((deed) => ({
    id: `message.${deed}`,
    title: called[deed] ?? deed,
    group: t("onMessage"),
    keys: Object.keys(KEYS)
      .filter((key) => KEYS[key] === deed)
      .map((key) => (key.length === 1 ? key.toUpperCase() : key)),
    told: true,
    run: () => false,
  }));
}

/** Keys in the list: arrows, Home and End go from message to message, Escape to the composer, letters do something. */
export function keysOf(room: Room, rows: readonly Row[], focusRow: (at: number) => void) {
  return (event: KeyboardEvent): void => {
    const target = event.target as HTMLElement;
    if (target.matches("input, textarea, select, audio, video")) return;
    const at = Number(target.closest("[data-row]")?.getAttribute("data-row") ?? -1);
    const row = rows[at];
    if (row === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const go = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: rows.length - 1 }[event.key];
    if (go !== undefined) {
      event.preventDefault();
      if (go >= rows.length) wish(placeOf(room.conversation, room.thread), { kind: "write" });
      else if (go >= 0) focusRow(go);
      return;
    }
    if (event.key === "Escape" && target.matches("[data-row]")) {
      event.preventDefault();
      wish(placeOf(room.conversation, room.thread), { kind: "write" });
      return;
    }
    if (!target.matches("[data-row]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const deed = KEYS[key];
    if (deed === undefined || !canDo(room, row.item, deed)) return;
    event.preventDefault();
    room.act(deed, row.item, target);
  };
}
