"""Texts and words made alike whatever disguises them: case, width, marks, look-alikes, digits for letters. Pure.

`FOLDED` maps every sign by itself, so that folding is one call of `str.translate`: letters to the first of their class
(`l` and `1` to `i`), what cannot be seen to nothing, all that is no letter to a space. It is coarse on purpose: what is
found in it is only looked at closer (`words.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from unicodedata import category, combining, name, normalize

from hubbub.moderation.lookalikes import LATIN, LEET

IGNORED = frozenset("\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Not seen, although not all are formats (`Cf`)."""
FIRST = {"l": "i"} | {sign: letters[0] for sign, letters in LEET.items() if sign != "I"}
"""The first of the class of each letter, digit and sign that has others in it."""
BASE = re.compile(
    r"LATIN (?:SMALL |CAPITAL )?LETTER (?:SMALL CAPITAL |TURNED |REVERSED |OPEN |DOTLESS )*([A-Z])(?: WITH .*)?"
).fullmatch


class _Letters(dict[int, str]):
    """What letters a sign is, by its code point: in lower case, without marks, in Latin where it looks so. A digit is
    itself; "" is what does not count; " " is what is between words."""

    def __missing__(self, code: int) -> str:
        found = self[code] = letters_of(chr(code))
        return found


class _Folded(dict[int, str]):
    """The same, each letter as the first of its class in `first`."""

    def __init__(self, first: Mapping[str, str]) -> None:
        super().__init__()
        self._first = first

    def __missing__(self, code: int) -> str:
        sign, first = chr(code), self._first
        found = first.get(sign) or "".join(first.get(each, each) for each in LETTERS[code])
        self[code] = found
        return found


def letters_of(sign: str) -> str:
    """See `_Letters`; not kept."""
    kind = category(sign)
    if (
        kind in ("Cf", "Me")
        or sign in IGNORED
        or "\ufe00" <= sign <= "\ufe0f"
        or "\U000e0000" <= sign <= "\U000e0fff"
    ):
        return ""
    if kind == "Mn":
        return "" if _ornaments(sign) else sign
    if "\uac00" <= sign <= "\ud7a3":  # Hangul: its syllables stay
        return sign
    if "\U0001f130" <= sign <= "\U0001f189":  # letters in circles and squares
        return chr(ord("a") + (ord(sign) - 0x1F130) % 32) if (ord(sign) - 0x1F130) % 32 < 26 else " "
    if "\U0001f1e6" <= sign <= "\U0001f1ff":  # the letters of flags
        return chr(ord("a") + ord(sign) - 0x1F1E6)
    made = "".join(_letter(each) for each in normalize("NFKD", LATIN.get(sign, sign)))
    return made.strip() or ("" if not made else " ")


def _letter(sign: str) -> str:
    if category(sign) == "Mn":
        return "" if _ornaments(sign) else sign
    if not (sign.isalnum() or category(sign) == "Mc"):
        return " "
    found = ""
    for lower in normalize("NFKD", LATIN.get(sign, sign).casefold()):
        if category(lower) == "Mn" and _ornaments(lower):
            continue
        lower = LATIN.get(lower, lower)
        if lower > "\x7f" and (base := BASE(name(lower, ""))) is not None:
            lower = base[1].lower()
        found += lower
    return found


def _ornaments(mark: str) -> bool:
    """Whether a mark is left out: strokes through letters, points of Hebrew and Arabic, accents; but not the vowels of
    Indic scripts nor the voicing of Kana."""
    place = combining(mark)
    return place == 1 or 10 <= place <= 36 or place >= 200


LETTERS = _Letters()
FOLDED = _Folded(FIRST)
FINER = _Folded({sign: first for sign, first in FIRST.items() if sign != "l"})
"""The same, but that `l` and `i` are two: "will" has no letter three times."""


def folded(text: str) -> str:
    """See the module."""
    return text.translate(FOLDED)


def plain(text: str) -> str:
    """As people would take it who see no disguise: compatibility forms and case made alike."""
    return normalize("NFKC", text).casefold()


def spaceless(sign: str) -> bool:
    """Whether it is of a script that writes words without spaces between them, or joins particles to them."""
    return (
        "\u0e00" <= sign <= "\u0eff"
        or "\u1000" <= sign <= "\u109f"
        or "\u1780" <= sign <= "\u17ff"
        or "\u2e80" <= sign <= "\u9fff"
        or "\ua960" <= sign <= "\ua97f"
        or "\uac00" <= sign <= "\ud7ff"
        or "\uf900" <= sign <= "\ufaff"
        or "\uff66" <= sign <= "\uff9f"
        or "\U00020000" <= sign <= "\U0003ffff"
    )


def foreign(sign: str) -> bool:
    """Whether it is a letter of another script than Latin that looks like a Latin one."""
    return sign in LATIN


def genuine(text: str) -> bool:
    """Whether it has letters of another script with capitals that look like no Latin one: then it is written in that,
    and words wholly of such letters are what they are."""
    return any(
        sign > "\x7f" and sign not in LATIN and sign.lower() != sign.upper() and LETTERS[ord(sign)] > "\x7f"
        for sign in text
    )
