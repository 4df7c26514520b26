"""Covering spans of a text so that what is left is text still: nothing of a sign as people see it stays behind. Pure.

A sign is near to an extended grapheme cluster (UAX #29): what cannot stand by itself goes with what it stands on.
"""

from __future__ import annotations

from collections.abc import Iterable
from unicodedata import category

from hubbub.moderation.base import Span

MASK = "•"
JOINER = "\u200d"


def cover(text: str, spans: Iterable[Span], mask: str = MASK) -> str:
    """`text` with each sign that lies at least partly in a span as one `mask`. Spaces stay."""
    made: list[str] = []
    at = 0
    for begin, end in _merged(text, spans):
        made.append(text[at:begin])
        at = begin
        while at < end:
            after = sign_end(text, at)
            made.append(text[at] if text[at].isspace() else mask)
            at = after
    made.append(text[at:])
    return "".join(made)


def _merged(text: str, spans: Iterable[Span]) -> list[Span]:
    """Without overlaps, and each at the borders of signs."""
    merged: list[Span] = []
    for begin, end in sorted(spans):
        begin, end = sign_begin(text, begin), sign_end(text, max(end - 1, begin))
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def sign_begin(text: str, at: int) -> int:
    """Where the sign begins that is at `at`."""
    while at and _goes_on(text, at):
        at -= 1
    return at


def sign_end(text: str, at: int) -> int:
    """Where the sign ends that is at `at`."""
    at += 1
    while at < len(text) and _goes_on(text, at):
        at += 1
    return at


def _goes_on(text: str, at: int) -> bool:
    """Whether what is at `at` belongs to what is before it."""
    now, before = text[at], text[at - 1]
    if now < "\u0300":
        return now == "\n" and before == "\r"
    if before in "\r\n":
        return False
    if before == JOINER or _extends(now):
        return True
    if "\U0001f1e6" <= now <= "\U0001f1ff":  # a flag is two letters
        first = at
        while first and "\U0001f1e6" <= text[first - 1] <= "\U0001f1ff":
            first -= 1
        return (at - first) % 2 == 1
    # Hangul: a vowel or a final consonant after what may have one.
    return "\u1160" <= now <= "\u11ff" and ("\u1100" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3")


def _extends(sign: str) -> bool:
    return (
        sign in (JOINER, "\u200c")
        or category(sign) in ("Mn", "Me", "Mc")
        or "\U0001f3fb" <= sign <= "\U0001f3ff"
        or "\U000e0020" <= sign <= "\U000e007f"
    )
