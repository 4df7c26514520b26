"""Full-text search in what one may read.

Who may read what is part of the query, so that nothing else is counted or ranked. Ranked are the newest matches
(`chat.search_candidates`), then the next so many: a search does not take longer because there are a million of them.
"""

from __future__ import annotations

from typing import Annotated, Literal

import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat import highlight, limits, search_query, tokens
from hubbub.chat.ledger import Actor, View
from hubbub.chat.model import ConversationId, Message, Seq, UserId
from hubbub.chat.operations import read
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.parts import searchable
from hubbub.chat.rows import MESSAGE, message_of
from hubbub.chat.search_index import index, reindex, remove
from hubbub.chat.search_matches import Filters, Match, Reach, matches, reach_of
from hubbub.chat.search_query import Query
from hubbub.chat.search_spelling import meant
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import messages

__all__ = ["index", "reindex", "remove", "search"]

LAST = 2**62
Cursor = tuple[str, int, int, int]
"""Order (n or r), the greatest id and seq that may come, and how many of them were shown."""


class Search(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to search for, and where. Without `conversation` it is in all that one has joined."""

    query: Annotated[
        str,
        Meta(
            description='Words that must all be there, in any form of accents and case; "a phrase"; begin*; -without.',
            examples=['"quarterly report" budg* -draft'],
        ),
    ]
    conversation: ConversationId | None = None
    sender: UserId | None = None
    after: Annotated[float | None, Meta(description="Sent at this time or later.")] = None
    before: Annotated[float | None, Meta(description="Sent before this time.")] = None
    thread: Annotated[Seq | None, Meta(description="In this thread of `conversation`, its root too.")] = None
    in_thread: Annotated[bool | None, Meta(description="Replies in threads only, or none of them.")] = None
    prefix: Annotated[bool, Meta(description="The last word is still being typed, and may go on.")] = False
    order: Literal["relevance", "newest"] = "relevance"
    limit: PageLimit | None = None
    cursor: After | None = None


class Highlight(Struct, frozen=True):
    """Where a match stands: in the text of `parts[part]`, from `start` to before `end`, in code points."""

    part: int
    start: int
    end: int


class Mark(Struct, frozen=True):
    """Where a match stands in a snippet, in code points."""

    start: int
    end: int


class SearchHit(Struct, frozen=True, omit_defaults=True):
    """A message that was found. `snippet` is one line of plain text from it, with `marks` in it; `score` (0 to 1) is of
    the order by relevance."""

    message: Message
    snippet: str
    marks: tuple[Mark, ...] = ()
    highlights: tuple[Highlight, ...] = ()
    score: float = 0.0


class SearchPage(Struct, frozen=True, omit_defaults=True):
    """What was found. `next` is absent on the last page. Where nothing is found, `did_you_mean` may be the query with
    other words."""

    hits: tuple[SearchHit, ...]
    next: str | None = None
    did_you_mean: str | None = None


@read("search", "GET", "/search")
def search(view: View, actor: Actor, params: Search) -> SearchPage:
    """Search the messages that one may read.

    Found are messages that have all the words. Case, accents and compatibility forms make no difference; Chinese,
    Japanese, Korean, Thai and the like are found by any characters in a row. No query is wrong: what makes no sense is
    left out, and where nothing is left nothing is found. By relevance (how often, how short, how new) the newest
    `chat.search_candidates` matches are ranked, after them the next so many.

    If nothing is found, a word of four letters or more that is nowhere may be a typo: `did_you_mean` is the query with
    the most similar words (by trigrams) of the newest messages that one may read instead.

    Raises NOT_FOUND and PERMISSION_DENIED for the conversation, VALIDATION_FAILED for `thread` without it and for the
    cursor of another search, LIMIT_EXCEEDED (`limits.query_length`, `limits.page`).
    """
    limits.check(view.config.limits, "query_length", len(params.query), "query")
    size = page_size(view.config, params.limit)
    if params.thread is not None and params.conversation is None:
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "thread: it needs a conversation", field="thread")
    reach = reach_of(view, actor, params.conversation)
    query = search_query.parse(params.query, prefix=params.prefix)
    order = "n" if params.order == "newest" else "r"
    start = (order, LAST, LAST, 0)
    if params.cursor is not None:
        start = read_cursor(params.cursor, tuple[str, int, int, int])
        if start[0] != order or min(start[1:]) < 0 or max(start[1:]) > LAST:
            raise HubbubError(
                ErrorCode.VALIDATION_FAILED, "cursor: not a cursor of this search", field="cursor"
            )
    if not query.wanted or reach.joined == ():
        return SearchPage(())
    look = _newest if order == "n" else _ranked
    page = look(view, reach, query, params, start, size)
    if page.hits or params.cursor is not None:
        return page
    return SearchPage((), None, meant(view, reach, params.query, _filters(params), prefix=params.prefix))


def _newest(view: View, reach: Reach, query: Query, params: Search, start: Cursor, size: int) -> SearchPage:
    found = _matches(view, reach, query, params, start, size + 1)
    more = len(found) > size
    shown = _shown(view, query, [(match, 0.0) for match in found[:size]])
    return SearchPage(shown, cursor("n", found[size].id, found[size].seq, 0) if more else None)


def _ranked(view: View, reach: Reach, query: Query, params: Search, start: Cursor, size: int) -> SearchPage:
    most = max(view.config.chat.search_candidates, size)
    found = _matches(view, reach, query, params, start, most + 1)
    if not found:
        return SearchPage(())
    ranked = rank(query, found[:most])
    done = start[3] + size
    page = ranked[start[3] : done]
    following = None
    if done < len(ranked):
        following = cursor("r", found[0].id, found[0].seq, done)
    elif len(found) > most:
        following = cursor("r", found[most].id, found[most].seq, 0)
    return SearchPage(_shown(view, query, page), following)


def _matches(
    view: View, reach: Reach, query: Query, params: Search, start: Cursor, count: int
) -> list[Match]:
    return matches(view, reach, query, _filters(params), count, (start[1], start[2]))


def _filters(params: Search) -> Filters:
    return Filters(params.sender, params.after, params.before, params.thread, params.in_thread)


def rank(query: Query, found: list[Match]) -> list[tuple[Match, float]]:
    """Matches and their scores, the best one first, of equals the newest. `found` begins with the newest."""
    texts = [tokens.terms(match.text) for match in found]
    average = sum(map(len, texts)) / max(len(texts), 1)
    newest = max(match.created for match in found)
    scored = [
        (match, highlight.score(query, terms, average, newest - match.created))
        for match, terms in zip(found, texts, strict=True)
    ]
    return sorted(scored, key=lambda pair: (-pair[1], -pair[0].id))


def _shown(view: View, query: Query, found: list[tuple[Match, float]]) -> tuple[SearchHit, ...]:
    wanted = sa.select(messages.c.id, *MESSAGE).where(messages.c.id.in_([match.id for match, _ in found]))
    rows = {row[0]: message_of(row[1:]) for row in view.execute(wanted)}
    return tuple(_hit(query, rows[match.id], score) for match, score in found)


def _hit(query: Query, message: Message, score: float) -> SearchHit:
    highlights: list[Highlight] = []
    snippet: tuple[str, list[highlight.Span]] | None = None
    for place, part in enumerate(message.parts):
        text = searchable((part,))
        if not text:
            continue
        spans = highlight.spans(query, text)
        if snippet is None or (spans and not highlights):
            snippet = highlight.snippet(text, spans)
        highlights.extend(Highlight(place, *span) for span in spans)
    line, marks = snippet or ("", [])
    return SearchHit(
        message, line, tuple(Mark(*mark) for mark in marks), tuple(highlights[: highlight.MOST]), score
    )


OPERATIONS = (search,)
