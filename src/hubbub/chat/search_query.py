"""What somebody searches for: words that must all be there, "phrases", begin* and -without. Pure.

Nothing that is typed is a mistake: what makes no sense is left out. A database gets our terms, never what was typed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from hubbub.chat import tokens

_QUOTES = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u300c\u300d\uff02", '"'))
_MINUS = re.compile("^[-\u2212\u2013]")
_ITEM = re.compile(r'([-\u2212\u2013]?)"([^"]*)"?|([^\s"]+)')
MOST = 64
"""Phrases of one query; what comes after is left out."""


class Phrase(NamedTuple):
    """Terms that are neighbours. With `prefix` the last one may go on."""

    terms: tuple[str, ...]
    prefix: bool = False


class Query(NamedTuple):
    """All of `wanted`, and none of `unwanted`. Without anything wanted nothing is found."""

    wanted: tuple[Phrase, ...] = ()
    unwanted: tuple[Phrase, ...] = ()


class Word(NamedTuple):
    """A word that must be there, and where it stands in the query. With `prefix` it may go on."""

    term: str
    start: int
    end: int
    prefix: bool


class _Item(NamedTuple):
    """What stands from `start` to before `end`: a word, which may `begin` others, or a phrase."""

    start: int
    end: int
    unwanted: bool
    begins: bool


def parse(text: str, *, prefix: bool = False) -> Query:
    """What `text` asks for. `prefix`: its last word may go on, as it is still being typed."""
    text = normal(text)
    wanted: dict[Phrase, None] = {}
    unwanted: dict[Phrase, None] = {}
    for item in _items(text, prefix):
        terms, open_ended = tokens.phrase(text[item.start : item.end], prefix=item.begins)
        if terms:
            (unwanted if item.unwanted else wanted)[Phrase(terms, open_ended)] = None
    return Query(tuple(wanted), tuple(unwanted))


def words(text: str, *, prefix: bool = False) -> list[Word]:
    """The words that `text` (`normal` already) wants, those of phrases too, in order. `prefix` as in `parse`."""
    found: list[Word] = []
    for item in _items(text, prefix):
        if not item.unwanted:
            there = tokens.tokens(text[item.start : item.end])
            found += [
                Word(
                    each.term,
                    item.start + each.start,
                    item.start + each.end,
                    item.begins and each is there[-1],
                )
                for each in there
            ]
    return found


def normal(text: str) -> str:
    """`text` as it is understood."""
    return unicodedata.normalize("NFC", text.translate(_QUOTES))


def _items(text: str, prefix: bool) -> list[_Item]:
    typing = prefix and text != "" and text[-1] not in '"*' and not text[-1].isspace()
    found = list(_ITEM.finditer(text))
    items = []
    for match in found[:MOST]:
        minus, _, word = match.groups()
        if word is None:
            items.append(_Item(*match.span(2), bool(minus), False))
            continue
        unwanted = len(word) > 1 and _MINUS.match(word) is not None
        begins = (word[1:] if unwanted else word).endswith("*") or (typing and match is found[-1])
        items.append(_Item(match.start(3) + unwanted, match.end(3), unwanted, begins))
    return items


def fts5(query: Query, scopes: Sequence[str]) -> str:
    """The query as FTS5 has it, in any of `scopes` (terms; without any: everywhere)."""
    parts = list(map(_fts5, query.wanted))
    if scopes:
        parts.append(f"({' OR '.join(map(_quoted, scopes))})")
    found = " AND ".join(parts)
    return f"({found}) NOT ({' OR '.join(map(_fts5, query.unwanted))})" if query.unwanted else found


def _fts5(phrase: Phrase) -> str:
    return _quoted(" ".join(phrase.terms)) + ("*" if phrase.prefix else "")


def _quoted(terms: str) -> str:
    return f'"{terms}"'


def tsquery(query: Query, scopes: Sequence[str]) -> str:
    """The query as PostgreSQL reads a tsquery, in any of `scopes`."""
    parts = [_tsquery(phrase) for phrase in query.wanted]
    parts += [f"!{_tsquery(phrase)}" for phrase in query.unwanted]
    if scopes:
        named = " | ".join(f"'{scope}'" for scope in scopes)
        parts.append(f"({named})")
    return " & ".join(parts)


def _tsquery(phrase: Phrase) -> str:
    lexemes = [f"'{term}'" for term in phrase.terms]
    if phrase.prefix:
        lexemes[-1] += ":*"
    return f"({' <-> '.join(lexemes)})"
