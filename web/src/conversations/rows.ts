/** The list of conversations, as rows: headings that fold, and conversations. Pure. */

import type { ConversationView } from "hubbub/chat";

export type Section = "invitations" | "unread" | "direct" | "group" | "topic" | "broadcast" | "archived";

export type Row =
  | {
      readonly kind: "heading";
      readonly key: string;
      readonly section: Section;
      readonly count: number;
      readonly unread: number;
      readonly folded: boolean;
    }
  | { readonly kind: "conversation"; readonly key: string; readonly view: ConversationView };

export interface Look {
  /** Only those whose title has all of its words, each at the beginning of a word or further in. */
  readonly filter: string;
  readonly unreadFirst: boolean;
  /** Sections whose conversations are not shown; `archived` is folded unless `archived:open` is here. */
  readonly folded: readonly string[];
  /** The conversation that is open: it stays where it is when it has been read. */
  readonly open?: string | undefined;
  title(view: ConversationView): string;
}

const ORDER: readonly Section[] = [
  "invitations",
  "unread",
  "direct",
  "group",
  "topic",
  "broadcast",
  "archived",
];

/** The key in the settings that folds a section, or unfolds it. */
export const foldKey = (section: Section): string => (section === "archived" ? "archived:open" : section);

function sectionOf(view: ConversationView, look: Look): Section {
  if (view.membership.state === "invited") return "invitations";
  if (view.membership.archived === true) return "archived";
  if (look.unreadFirst && (view.unread > 0 || view.mentions > 0)) return "unread";
  return view.conversation.kind;
}

/** Rows of conversations that come in the order of their last activity, which stays within the sections. */
export function rowsOf(views: readonly ConversationView[], look: Look): readonly Row[] {
  const words = fold(look.filter).split(/\s+/).filter(Boolean);
  const sections = new Map<Section, ConversationView[]>();
  for (const view of views) {
    if (words.length > 0 && !has(fold(look.title(view)), words)) continue;
    const section = sectionOf(view, look);
    const list = sections.get(section);
    if (list === undefined) sections.set(section, [view]);
    else list.push(view);
  }
  return ORDER.flatMap((section): Row[] => {
    const list = sections.get(section);
    if (list === undefined) return [];
    const set = look.folded.includes(foldKey(section));
    const folded = words.length === 0 && (section === "archived" ? !set : set);
    const unread = list.reduce((sum, view) => sum + view.unread, 0);
    const heading: Row = {
      kind: "heading",
      key: `section ${section}`,
      section,
      count: list.length,
      unread,
      folded,
    };
    const shown = folded ? list.filter((view) => view.conversation.id === look.open) : list;
    return [
      heading,
      ...shown.map((view): Row => ({ kind: "conversation", key: view.conversation.id, view })),
    ];
  });
}

/** Lower case, without accents. */
export const fold = (text: string): string =>
  text
    .normalize("NFKD")
    .replace(/\p{Diacritic}/gu, "")
    .toLocaleLowerCase();

const has = (title: string, words: readonly string[]): boolean => words.every((word) => title.includes(word));

/** The conversation before or after the open one, in the order of the rows; with `unread`, the next that has any. */
export function neighbour(
  rows: readonly Row[],
  open: string | undefined,
  step: 1 | -1,
  unread = false,
): string | undefined {
  const list = rows.filter((row) => row.kind === "conversation");
  const at = list.findIndex((row) => row.key === open);
  const order =
    step === 1
      ? [...list.slice(at + 1), ...list.slice(0, Math.max(at, 0))]
      : [...list.slice(0, at === -1 ? list.length : at).reverse(), ...list.slice(at + 1).reverse()];
  return order.find((row) => !unread || row.view.unread > 0)?.key;
}
