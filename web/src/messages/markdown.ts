/** Text and Markdown as tokens. Pure. */

import { Lexer, type Token } from "marked";

const KEPT = 400;
const known = new Map<string, readonly Token[]>();

/** The tokens of Markdown. What was read before is remembered. */
export function tokensOf(text: string): readonly Token[] {
  let tokens = known.get(text);
  if (tokens === undefined) {
    tokens = new Lexer({ gfm: true, breaks: true }).lex(text);
    known.set(text, tokens);
    const oldest = known.keys().next().value;
    if (known.size > KEPT && oldest !== undefined) known.delete(oldest);
  }
  return tokens;
}

/** A piece of plain text. */
export type Piece =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "mention"; readonly id: string }
  | { readonly type: "emoji"; readonly name: string }
  | { readonly type: "link"; readonly href: string };

/** What is between the pieces that mean something. Links are looked for only where Markdown has not found them. */
const MENTION = "(?<![\\p{L}\\p{N}_@])@([\\p{L}\\p{N}_](?:[\\p{L}\\p{N}_.:-]{0,126}[\\p{L}\\p{N}_])?)";
const EMOJI = "(?<![\\p{L}\\p{N}:]):([a-z0-9_+-]{1,64}):";
const LINK = "\\bhttps?:\\/\\/[^\\s<>\"']{2,}";
const PIECES = new RegExp(`${MENTION}|${EMOJI}`, "gu");
const LINKED = new RegExp(`${MENTION}|${EMOJI}|(${LINK})`, "gu");

/** The pieces of a text that has no Markdown in it. */
export function piecesOf(text: string, links: boolean): readonly Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(links ? LINKED : PIECES)) {
    const [whole, mention, emoji, link] = match;
    let length = whole.length;
    let piece: Piece;
    if (mention !== undefined) piece = { type: "mention", id: mention };
    else if (emoji !== undefined) piece = { type: "emoji", name: emoji };
    else {
      const href = trimmed(link ?? "");
      length = href.length;
      piece = { type: "link", href };
    }
    if (match.index > from) pieces.push({ type: "text", text: text.slice(from, match.index) });
    pieces.push(piece);
    from = match.index + length;
  }
  if (from < text.length) pieces.push({ type: "text", text: text.slice(from) });
  return pieces;
}

/** An address without the signs of the sentence that it stands in. */
function trimmed(link: string): string {
  let end = link.replace(/[.,;:!?*_~]+$/, "");
  while (end.endsWith(")") && end.split(")").length > end.split("(").length) end = end.slice(0, -1);
  return end;
}

/** An address that may be followed; undefined for what could do harm (`javascript:`), which is shown as it is written. */
export function safeHref(href: string): string | undefined {
  if (/^#\/[a-z]/.test(href)) return href;
  let url: URL;
  try {
    url = new URL(href);
  } catch {
    return undefined;
  }
  return ["http:", "https:", "mailto:", "tel:"].includes(url.protocol) ? href : undefined;
}

/** The part of an address of this app that is behind its `#`; undefined for all others. */
export function within(href: string, base: string): string | undefined {
  if (href.startsWith("#/")) return href;
  try {
    const [here, there] = [new URL(base), new URL(href)];
    const same = here.origin === there.origin && here.pathname === there.pathname;
    return same && there.hash.startsWith("#/c/") ? there.hash : undefined;
  } catch {
    return undefined;
  }
}

const ONLY_EMOJI =
  /^(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}|\u200d|\ufe0f|\s)+$/u;

/** A few emoji and nothing else: they are shown large. */
export function onlyEmoji(text: string): boolean {
  const short = text.trim();
  return short !== "" && short.length < 40 && ONLY_EMOJI.test(short) && [...segments(short)].length <= 4;
}

function segments(text: string): Iterable<unknown> {
  return new Intl.Segmenter().segment(text.replace(/\s/g, ""));
}
