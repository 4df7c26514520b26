import type { Command, Emoji, Group, User } from "hubbub/chat";
import { useChat, useConversations, useView } from "hubbub/react";
import { useEffect, useMemo, useState } from "react";
import { titleOf } from "../conversations/look.ts";
import { useMyId } from "../conversations/names.ts";
import { useTexts } from "../i18n/index.ts";
import type { IconName } from "../ui/index.ts";
import type { Mentionable } from "./mentions.ts";
import { OWN_COMMANDS, rankOf, type Token } from "./suggest.ts";
import { texts } from "./texts.ts";

/** Something that can take the token's place. */
export interface Suggestion {
  readonly key: string;
  readonly title: string;
  readonly hint: string;
  /** What is written in its place. */
  readonly insert: string;
  readonly user?: User;
  readonly icon?: IconName;
  readonly emoji?: string;
  readonly custom?: Emoji;
}

const MOST = 8;

type Search = typeof import("./emoji/search.ts")["search"];

/** What fits the token at the cursor. */
export function useSuggestions(
  token: Token | undefined,
  conversation: string,
  who: { can: Mentionable; people: ReadonlyMap<string, User>; groups: ReadonlyMap<string, Group> },
): readonly Suggestion[] {
  const t = useTexts(texts);
  const chat = useChat();
  const me = useMyId();
  const all = useConversations();
  const { emoji: custom } = useView(chat.catalogue);
  const commands = useView(useMemo(() => chat.commands(conversation), [chat, conversation]));
  const [search, setSearch] = useState<{ emoji: Search }>();
  const kind = token?.kind;
  useEffect(() => {
    if (kind !== "emoji") return;
    let wanted = true;
    void import("./emoji/search.ts").then((found) => wanted && setSearch({ emoji: found.search }));
    return () => {
      wanted = false;
    };
  }, [kind]);

  if (token === undefined) return [];
  const { typed } = token;
  const ranked = (found: readonly (readonly [rank: number | undefined, one: Suggestion])[]) =>
    found
      .flatMap(([rank, one]) => (rank === undefined ? [] : [[rank, one] as const]))
      .sort(([a], [b]) => a - b)
      .slice(0, MOST)
      .map(([, one]) => one);

  if (token.kind === "mention") {
    const { can, people, groups } = who;
    const whole = [
      ["everyone", t("everyoneHint")],
      ["here", t("hereHint")],
    ] as const;
    return ranked([
      ...[...people.values()]
        .filter((user) => user.id !== me)
        .map(
          (user) =>
            [
              rankOf(typed, user.name || user.id, user.id),
              {
                key: `@${user.id}`,
                title: user.name || user.id,
                hint: `@${user.id}`,
                insert: `@${user.id} `,
                user,
              },
            ] as const,
        ),
      ...[...groups.values()].map(
        (group) =>
          [
            rankOf(typed, group.id, group.name),
            {
              key: `@${group.id}`,
              title: group.name,
              hint: t("groupHint", { count: group.members ?? 0 }),
              insert: `@${group.id} `,
              icon: "group" as const,
            },
          ] as const,
      ),
      ...(can.everyone ? whole : []).map(
        ([name, hint]) =>
          [
            rankOf(typed, name),
            { key: `@${name}`, title: `@${name}`, hint, insert: `@${name} `, icon: "broadcast" as const },
          ] as const,
      ),
    ]);
  }
  if (token.kind === "channel") {
    return ranked(
      all
        .filter((view) => view.conversation.kind !== "direct")
        .map((view) => {
          const title = titleOf(view, me);
          const insert = `[#${title}](#/c/${encodeURIComponent(view.id)}) `;
          return [
            rankOf(typed, title),
            { key: view.id, title, hint: "", insert, icon: "hash" as const },
          ] as const;
        }),
    );
  }
  if (token.kind === "command") {
    const hints: Readonly<Record<(typeof OWN_COMMANDS)[number], string>> = {
      poll: t("pollHint"),
      checklist: t("checklistHint"),
      later: t("laterHint"),
      shrug: t("shrug"),
    };
    return ranked([
      ...commands.map((each) => [rankOf(typed, each.name), commandSuggestion(each)] as const),
      ...OWN_COMMANDS.map(
        (name) =>
          [
            rankOf(typed, name),
            {
              key: `/${name}`,
              title: `/${name}`,
              hint: hints[name],
              insert: `/${name} `,
              icon: "code" as const,
            },
          ] as const,
      ),
    ]);
  }
  const own = ranked(
    [...custom.values()].map((each) => [
      rankOf(typed, each.name),
      { key: `:${each.name}`, title: `:${each.name}:`, hint: "", insert: `:${each.name}: `, custom: each },
    ]),
  );
  const plain = (search?.emoji(typed, MOST) ?? []).map(({ emoji, name }) => ({
    key: emoji,
    title: `:${name}:`,
    hint: "",
    insert: `${emoji} `,
    emoji,
  }));
  return [...own, ...plain].slice(0, MOST);
}

function commandSuggestion(command: Command): Suggestion {
  const usage =
    command.usage ??
    (command.arguments ?? [])
      .map((each) => (each.required === true ? `<${each.name}>` : `[${each.name}]`))
      .join(" ");
  return {
    key: `/${command.name}`,
    title: `/${command.name} ${usage}`.trim(),
    hint: command.description ?? "",
    insert: `/${command.name} `,
    icon: "code",
  };
}
