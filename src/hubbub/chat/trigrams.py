"""How similar words are by the groups of three characters that they share, as PostgreSQL's pg_trgm defines it. Pure.

https://www.postgresql.org/docs/current/pgtrgm.html: what is no letter or digit separates words, case makes no
difference, a word has two spaces before it and one after it, and a group counts once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

THRESHOLD = 0.3
"""From which on words are similar: pg_trgm's default."""

_words = re.compile(r"[^\W_]+").findall


def trigrams(text: str) -> frozenset[str]:
    """The groups of `text`."""
    padded = [f"  {word} " for word in _words(text.lower())]
    return frozenset(word[place : place + 3] for word in padded for place in range(len(word) - 2))


def similarity(one: str, other: str) -> float:
    """The share of the groups of either that both have: 0 (none) to 1."""
    return _shared(trigrams(one), trigrams(other))


def most_similar(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate most similar to `word`, of equals the first one; None if none is similar."""
    wanted = trigrams(word)
    best, least = None, 0.0
    for candidate in candidates:
        # A word has at most one group more than characters: most are too short, and need not be looked at.
        if (len(candidate) + 1) < THRESHOLD * len(wanted):
            continue
        if (found := _shared(wanted, trigrams(candidate))) >= THRESHOLD and found > least:
            best, least = candidate, found
    return best


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    both = len(one & other)
    return both / (len(one) + len(other) - both) if both else 0.0
