"""How text becomes what is searched for, the same for both databases, which then take our terms as they are. Pure.

Text in NFC is folded character by character: compatibility forms (NFKC), case, accents and the like are gone, and what
is no part of a word is a space. A word is a term; what is written without spaces between words (Chinese, Japanese,
Thai, ...) and Korean, whose words have endings, is cut into pairs: each character begins a term of itself and the next
one, the last one stands alone. So one character is found as a prefix, and several as neighbouring pairs. A symbol, an
emoji for one, is a term too. An address or a hyphenated word is its parts, which are neighbours.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import NamedTuple

TERMS = 4_096
"""Of one message; what comes after is not found. (PostgreSQL knows positions up to 16,383.)"""
LONGEST = 64
"""Code points of a term; longer words are cut."""

_ACCENTS = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"  # Hebrew points
    "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed]"  # Arabic vowels
)
_PAIRED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f\u1780-\u17ff"  # Burmese, Khmer
    "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"  # Korean
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u303c\u3040-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U0001aff0-\U0001b16f\U00020000-\U0003ffff"  # Chinese, Japanese
)
_RUNS = re.compile(f"[{_PAIRED}]+|[^{_PAIRED}]+")
_is_paired = re.compile(f"[{_PAIRED}]").match
_has_paired = re.compile(f"[{_PAIRED}]").search
_VOICED = re.compile("[^\u3099\u309a][\u3099\u309a]")
_PLAIN = {
    "æ": "ae",
    "œ": "oe",
    "ø": "o",
    "đ": "d",
    "ð": "d",
    "ħ": "h",
    "ı": "i",
    "ł": "l",
    "ŧ": "t",
    "þ": "th",
    "ŋ": "n",
    "ĸ": "k",
    "ʼn": "n",
    "\u0640": "",  # Arabic's stretching
}
"""Letters that Unicode does not take apart."""


class Token(NamedTuple):
    """A term and where it stands in the text, in code points. `first` is the end of its first character for one of a
    pair, and `end` otherwise."""

    term: str
    start: int
    end: int
    first: int


class _Folds(dict[int, str]):
    """What each character becomes: learnt as they come."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _fold(chr(code))
        return folded


def _fold(character: str) -> str:
    known = unicodedata.normalize("NFKC", character).casefold()
    apart = _ACCENTS.sub("", unicodedata.normalize("NFKD", known))
    return "".join(map(_shown, unicodedata.normalize("NFC", apart)))


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category[0] in "LN":
        return _PLAIN.get(character, character)
    if category[0] == "M":
        # Vowels of Indic scripts are marks; what chooses between looks of a character is none.
        return (
            ""
            if category == "Me" or "\ufe00" <= character <= "\ufe0f" or character >= "\U000e0100"
            else character
        )
    if category == "Cf":
        return " " if character == "\u200b" else ""
    if category == "So":
        return f" {character} "
    return " "


_folds = _Folds()


def fold(text: str) -> str:
    """Words, and spaces between them."""
    if text.isascii():
        return text.translate(_folds) if not text.isalnum() else text.lower()
    folded = text.translate(_folds)
    # Narrow kana and their voiced marks are two characters until they are folded.
    return _VOICED.sub(lambda pair: unicodedata.normalize("NFC", pair[0]), folded)


def terms(text: str) -> list[str]:
    """The terms of a text, in order, at most `TERMS`."""
    words = fold(text).split()
    if text.isascii():
        return [word[:LONGEST] for word in words[:TERMS]]
    found: list[str] = []
    for word in words:
        if word.isascii() or _has_paired(word) is None:
            found.append(word[:LONGEST])
        else:
            for run in _RUNS.findall(word):
                if _is_paired(run) is None:
                    found.append(run[:LONGEST])
                else:
                    found.extend(map("".join, pairwise(run)))
                    found.append(run[-1])
        if len(found) >= TERMS:
            return found[:TERMS]
    return found


def tokens(text: str) -> list[Token]:
    """The same terms, and where each stands in `text`."""
    folded, starts, ends = _traced(text)
    found: list[Token] = []
    for word in re.finditer(r"[^ ]+", folded):
        for run in _RUNS.finditer(word[0]):
            begin, end = word.start() + run.start(), word.start() + run.end()
            if _is_paired(run[0]) is None:
                found.append(Token(run[0][:LONGEST], starts[begin], ends[end - 1], ends[end - 1]))
                continue
            for place in range(begin, end):
                last = min(place + 1, end - 1)
                found.append(Token(folded[place : last + 1], starts[place], ends[last], ends[place]))
        if len(found) >= TERMS:
            return found[:TERMS]
    return found


def _traced(text: str) -> tuple[str, list[int], list[int]]:
    """`fold(text)`, and for each of its characters where in `text` that of which it was made begins and ends."""
    folded: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for place, character in enumerate(text):
        made = _folds[ord(character)]
        if not made and ends and ends[-1] == place and folded[-1] != " ":
            ends[-1] = place + 1  # an accent belongs to its letter
        for each in made:
            if each in "\u3099\u309a" and folded:
                composed = unicodedata.normalize("NFC", folded[-1] + each)
                if len(composed) == 1:
                    folded[-1], ends[-1] = composed, place + 1
                    continue
            folded.append(each)
            starts.append(place)
            ends.append(place + 1)
    return "".join(folded), starts, ends


def phrase(text: str, *, prefix: bool = False) -> tuple[tuple[str, ...], bool]:
    """The terms that `text` is found by, which must be neighbours, and whether the last one is a prefix: if `prefix`
    is asked for, or it is one character of a pair. What is one letter long is no prefix."""
    found: list[str] = []
    last = ""
    for word in fold(text).split():
        for last in _RUNS.findall(word):
            if _is_paired(last) is not None:
                found.extend(map("".join, pairwise(last)))
                found.append(last[-1])
            else:
                found.append(last[:LONGEST])
    if last and _is_paired(last) is not None:
        if len(last) > 1:
            found.pop()  # the text may go on
            return tuple(found[:TERMS]), False
        return tuple(found[:TERMS]), True
    return tuple(found[:TERMS]), prefix and 1 < len(last) < LONGEST
