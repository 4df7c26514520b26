"""What somebody may have meant whose search finds nothing: similar words of what it may read, and of nothing else.

Bounded work, for it is done while somebody waits: the newest messages of the newest conversations, the first words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hubbub.chat import search_query, tokens
from hubbub.chat.ledger import View
from hubbub.chat.search_matches import Filters, Reach, matches
from hubbub.chat.search_query import Phrase, Query, Word
from hubbub.chat.search_recent import recent
from hubbub.chat.trigrams import most_similar

MESSAGES = 1_000
"""That are read, the newest ones."""
TERMS = 50_000
"""Of them."""
WORDS = 8
"""Of a query that are looked up."""
LETTERS = 4
"""Of a word that may be a typo, and of what it is replaced by: shorter ones are similar to anything."""
TOP = (2**62, 2**62)
"""Greater than any id and seq."""


def meant(view: View, reach: Reach, text: str, filters: Filters, *, prefix: bool = False) -> str | None:
    """The query `text`, which finds nothing, with the words that are nowhere replaced by the most similar ones of the
    newest messages; None if there are none. `prefix`: its last word may go on."""
    text = search_query.normal(text)
    doubtful = [word for word in search_query.words(text, prefix=prefix) if _long(word.term)][:WORDS]
    if not doubtful:
        return None
    known = _vocabulary(recent(view, reach, filters, MESSAGES))
    changed = False
    for word in reversed(doubtful):
        if _there(view, reach, filters, known, word):
            continue
        if (similar := most_similar(word.term, known)) is not None:
            text = text[: word.start] + _written(similar, known[similar]) + text[word.end :]
            changed = True
    return text if changed else None


def _long(term: str) -> bool:
    return sum(map(str.isalpha, term)) >= LETTERS


def _vocabulary(texts: Iterable[str]) -> dict[str, str]:
    """The long terms of `texts`, the most frequent ones first, and where each stands first."""
    counted: Counter[str] = Counter()
    where: dict[str, str] = {}
    read = 0
    for text in texts:
        found = tokens.terms(text)
        counted.update(found)
        for term in found:
            where.setdefault(term, text)
        if (read := read + len(found)) > TERMS:
            break
    return {term: where[term] for term, _ in counted.most_common() if _long(term)}


def _written(term: str, text: str) -> str:
    """`term` with its accents, as `text` has it."""
    token = next(each for each in tokens.tokens(text) if each.term == term)
    return text[token.start : token.end].lower()


def _there(view: View, reach: Reach, filters: Filters, known: dict[str, str], word: Word) -> bool:
    """Whether a word is in anything that may be found."""
    if word.term in known or (word.prefix and any(each.startswith(word.term) for each in known)):
        return True
    query = Query((Phrase((word.term,), word.prefix),))
    return bool(matches(view, reach, query, filters, 1, TOP))
