"""Where in a text a query was found, how well the text answers it, and what of it to show. Pure.

Places are code points of the text as it was written, whatever folding has made of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from unicodedata import combining

from hubbub.chat import tokens
from hubbub.chat.search_query import Phrase, Query

Span = tuple[int, int]
"""Start and end, in code points."""
MOST = 100
"""Spans of one text."""
SNIPPET = 160
"""Code points of a snippet, about."""
LEAD = 40
"""Of them before the first match, about."""
SATURATION, LENGTHS = 1.2, 0.5
"""How soon more of the same counts no more, and how much longer texts count less (BM25's k1 and b)."""
BEGINNING = 0.5
"""What a word counts of which only the beginning was asked for."""
HALF_LIFE = 30 * 86_400.0
"""Seconds after which half of what age can take is taken, which is half of all."""


def spans(query: Query, text: str) -> list[Span]:
    """Where what is wanted stands in `text`: in order, what touches is one."""
    found = tokens.tokens(text)
    terms = [token.term for token in found]
    places: list[Span] = []
    for phrase in query.wanted:
        for first in _matches(phrase, terms):
            last = found[first + len(phrase.terms) - 1]
            # Of a pair that one character was asked for, that is shown.
            short = phrase.prefix and len(phrase.terms[-1]) == 1
            places.append((found[first].start, last.first if short else last.end))
    merged: list[Span] = []
    for start, end in sorted(places):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged[:MOST]


def _matches(phrase: Phrase, terms: Sequence[str]) -> list[int]:
    """The places in `terms` where `phrase` begins."""
    wanted, count = phrase.terms, len(phrase.terms)
    last = wanted[-1]
    found = []
    for place in range(len(terms) - count + 1):
        end = terms[place + count - 1]
        if (end == last or (phrase.prefix and end.startswith(last))) and all(
            terms[place + n] == wanted[n] for n in range(count - 1)
        ):
            found.append(place)
    return found


def score(query: Query, terms: Sequence[str], average: float, age: float) -> float:
    """How well a text of `terms` answers the query: the more often each phrase is in it, the shorter it is (against the
    `average`), and the younger it is than the newest one (`age`, in seconds). Between 0 and 1."""
    size = SATURATION * (1 - LENGTHS + LENGTHS * len(terms) / max(average, 1.0))
    total = 0.0
    for phrase in query.wanted:
        if len(phrase.terms) == 1:
            count = float(terms.count(phrase.terms[0]))
            if phrase.prefix:
                begun = sum(term.startswith(phrase.terms[0]) for term in terms)
                count += (begun - count) * (1.0 if len(phrase.terms[0]) == 1 else BEGINNING)
        else:
            count = float(len(_matches(phrase, terms)))
        total += count / (count + size)
    youth = 0.5 + 0.5 * math.exp2(-max(age, 0.0) / HALF_LIFE)
    return round(youth * total / max(len(query.wanted), 1), 6)


def snippet(text: str, found: Sequence[Span]) -> tuple[str, list[Span]]:
    """What to show of a text in one line, and where the found spans stand in that."""
    start = 0
    if len(text) > SNIPPET and found:
        start = _boundary(text, max(0, min(found[0][0] - LEAD, len(text) - SNIPPET)), found[0][0])
    end = len(text)
    if end - start > SNIPPET:
        end = start + SNIPPET
        while end > start + SNIPPET // 2 and not text[end].isspace():
            end -= 1
        if not text[end].isspace():
            end = _whole(text, start + SNIPPET)
    before = "\u2026" if start else ""
    after = "\u2026" if end < len(text) else ""
    shift = len(before) - start
    line = before + "".join(" " if each.isspace() else each for each in text[start:end]) + after
    marks = [(max(a, start) + shift, min(b, end) + shift) for a, b in found if a < end and b > start]
    return line, marks


def _boundary(text: str, place: int, most: int) -> int:
    """The beginning of a word at or after `place` and before `most`, if there is one near."""
    if place == 0:
        return 0
    for each in range(place, most):
        if text[each - 1].isspace():
            return each
    return min(_whole(text, place), most)


def _whole(text: str, place: int) -> int:
    """A place at which no character is torn from what is on it."""
    while place < len(text) and (
        combining(text[place]) or text[place] in "\u200d\ufe0f" or text[place - 1] == "\u200d"
    ):
        place += 1
    return place
