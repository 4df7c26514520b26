import type { Mentions } from "hubbub/chat";
import { useChat, useConversation, useUser, useView } from "hubbub/react";
import type { Token, Tokens } from "marked";
import { Fragment, memo, type ReactNode, useState } from "react";
import { useMyId, useTitle } from "../conversations/names.ts";
import { useTexts } from "../i18n/index.ts";
import { cx, Icon, IconButton, toast, toastError } from "../ui/index.ts";
import { onlyEmoji, piecesOf, safeHref, tokensOf, within } from "./markdown.ts";
import styles from "./Text.module.css";
import { texts } from "./texts.ts";
import { useFileUrl } from "./useFileUrl.ts";

export interface TextProps {
  text: string;
  format?: "plain" | "markdown" | undefined;
  /** Whom it mentions: only they are shown as mentions. */
  mentions?: Mentions | undefined;
  /** A few emoji alone are shown large. */
  jumbo?: boolean;
}

/** What somebody has written: plain or Markdown, as elements; there is no way from a text to markup. */
export const Text = memo(function Text({ text, format = "plain", mentions, jumbo = false }: TextProps) {
  const large = jumbo && onlyEmoji(text);
  return (
    <div className={cx(styles.text, large && styles.large)} dir="auto">
      {format === "markdown" ? (
        blocks(tokensOf(text), mentions)
      ) : (
        <p className={styles.plain}>{pieces(text, mentions, true)}</p>
      )}
    </div>
  );
});

type Mentioned = Mentions | undefined;

/** Tokens have no names: they are what they are at their place. */
const each = <T,>(list: readonly T[], show: (one: T) => ReactNode): ReactNode =>
  // biome-ignore lint/suspicious/noArrayIndexKey: they are made anew when the text changes
  list.map((one, at) => <Fragment key={at}>{show(one)}</Fragment>);

function blocks(tokens: readonly Token[], mentions: Mentioned): ReactNode {
  return each(tokens, (token) => block(token, mentions));
}

function block(token: Token, mentions: Mentioned): ReactNode {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "paragraph":
      return <p>{inlines(token.tokens ?? [], mentions)}</p>;
    case "heading":
      return <p className={styles.heading}>{inlines(token.tokens ?? [], mentions)}</p>;
    case "code":
      return <Code text={token.text} language={token.lang ?? ""} />;
    case "blockquote":
      return <blockquote className={styles.quote}>{blocks(token.tokens ?? [], mentions)}</blockquote>;
    case "list":
      return list(token as Tokens.List, mentions);
    case "hr":
      return <hr className={styles.rule} />;
    case "table":
      return table(token as Tokens.Table, mentions);
    case "text":
      return "tokens" in token && token.tokens !== undefined
        ? inlines(token.tokens, mentions)
        : pieces(token.text, mentions, false);
    default:
      return <p className={styles.plain}>{pieces(token.raw.trimEnd(), mentions, true)}</p>; // HTML: as it is written
  }
}

function list(token: Tokens.List, mentions: Mentioned): ReactNode {
  const items = each(token.items, (item) => (
    <li className={item.task ? styles.task : undefined}>
      {item.task && <input type="checkbox" checked={item.checked === true} readOnly tabIndex={-1} disabled />}
      {blocks(
        item.tokens.filter((inner) => inner.type !== "checkbox"),
        mentions,
      )}
    </li>
  ));
  if (!token.ordered) return <ul className={styles.list}>{items}</ul>;
  return (
    <ol className={styles.list} start={Number(token.start) || 1}>
      {items}
    </ol>
  );
}

function table(token: Tokens.Table, mentions: Mentioned): ReactNode {
  return (
    <div className={styles.tableFrame}>
      <table className={styles.table}>
        <thead>
          <tr>
            {each(token.header, (cell) => (
              <th>{inlines(cell.tokens, mentions)}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {each(token.rows, (row) => (
            <tr>
              {each(row, (cell) => (
                <td>{inlines(cell.tokens, mentions)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function inlines(tokens: readonly Token[], mentions: Mentioned): ReactNode {
  return each(tokens, (token) => inline(token, mentions));
}

function inline(token: Token, mentions: Mentioned): ReactNode {
  switch (token.type) {
    case "strong":
      return <strong>{inlines(token.tokens ?? [], mentions)}</strong>;
    case "em":
      return <em>{inlines(token.tokens ?? [], mentions)}</em>;
    case "del":
      return <del>{inlines(token.tokens ?? [], mentions)}</del>;
    case "codespan":
      return <code className={styles.code}>{token.text}</code>;
    case "br":
      return <br />;
    case "escape":
      return token.text;
    case "link": {
      const href = safeHref(token.href);
      if (href === undefined) return token.raw;
      return <Link href={href}>{inlines(token.tokens ?? [], undefined)}</Link>;
    }
    case "image": {
      // Pictures of other places would tell them who reads: they are links.
      const href = safeHref(token.href);
      return href === undefined ? token.raw : <Link href={href}>{token.text || token.href}</Link>;
    }
    case "text":
      return "tokens" in token && token.tokens !== undefined
        ? inlines(token.tokens, mentions)
        : pieces(token.text, mentions, false);
    default:
      return pieces(token.raw, mentions, false);
  }
}

/** Plain text with its mentions, emoji and (if they are not found yet) links. */
function pieces(text: string, mentions: Mentioned, links: boolean): ReactNode {
  return each(piecesOf(text, links), (piece) => {
    switch (piece.type) {
      case "mention":
        return <MentionOf id={piece.id} mentions={mentions} />;
      case "emoji":
        return <EmojiOf name={piece.name} />;
      case "link":
        return <Link href={piece.href}>{piece.href}</Link>;
      default:
        return piece.text;
    }
  });
}

function Link({ href, children }: { href: string; children: ReactNode }) {
  const inside = within(href, location.href);
  if (inside !== undefined) {
    const [, conversation = ""] = /^#\/c\/([^/?]+)\/?$/.exec(inside) ?? [];
    return conversation === "" ? (
      <a href={inside}>{children}</a>
    ) : (
      <Channel id={decodeURIComponent(conversation)} href={inside}>
        {children}
      </Channel>
    );
  }
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}

function Channel({ id, href, children }: { id: string; href: string; children: ReactNode }) {
  const title = useTitle(useConversation(id));
  return (
    <a href={href} className={styles.channel}>
      {title === "" ? children : `#${title}`}
    </a>
  );
}

function MentionOf({ id, mentions }: { id: string; mentions: Mentioned }) {
  const everyone = mentions?.everyone !== undefined && ["everyone", "all", "here", "channel"].includes(id);
  if (everyone) return <span className={cx(styles.mention, styles.me)}>@{id}</span>;
  if (mentions?.users?.includes(id) === true) return <UserMention id={id} />;
  if (mentions?.groups?.includes(id) === true) return <GroupMention id={id} />;
  return `@${id}`;
}

function UserMention({ id }: { id: string }) {
  const user = useUser(id);
  const me = useMyId();
  return <span className={cx(styles.mention, id === me && styles.me)}>@{user?.name || id}</span>;
}

function GroupMention({ id }: { id: string }) {
  const group = useView(useChat().catalogue).groups.get(id);
  return <span className={styles.mention}>@{group?.name ?? id}</span>;
}

/** A custom emoji by its name; as it is written where there is none. Plain emoji are shown as they are. */
export function EmojiOf({ name, size = 20, bare = false }: { name: string; size?: number; bare?: boolean }) {
  const { emoji } = useView(useChat().catalogue);
  const [broken, setBroken] = useState(false);
  const first = emoji.get(name);
  const found = first?.alias === undefined ? first : (emoji.get(first.alias) ?? first);
  const signed = useFileUrl(found?.file);
  const src = found?.url ?? signed;
  const said = bare ? name : `:${name}:`;
  if (found === undefined || src == null || broken) return said;
  return (
    <img
      className={styles.emoji}
      src={src}
      alt={`:${name}:`}
      data-tip={`:${name}:`}
      width={size}
      height={size}
      onError={() => setBroken(true)}
    />
  );
}

function Code({ text, language }: { text: string; language: string }) {
  const t = useTexts(texts);
  const copy = () =>
    navigator.clipboard.writeText(text).then(() => toast(t("copied"), { tone: "success" }), toastError);
  return (
    <div className={styles.block}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and is to be scrolled by keyboard */}
      <pre tabIndex={0} dir="ltr">
        <code>{text}</code>
      </pre>
      <span className={styles.copy}>
        {language !== "" && <span className={styles.language}>{language}</span>}
        <IconButton icon="copy" size="s" label={t("copyCode")} onClick={() => void copy()} />
      </span>
    </div>
  );
}

/** A sign with a word, in one line: for marks on messages. */
export function Mark({ icon, children }: { icon: Parameters<typeof Icon>[0]["name"]; children: ReactNode }) {
  return (
    <span className={styles.mark}>
      <Icon name={icon} size={13} />
      {children}
    </span>
  );
}
