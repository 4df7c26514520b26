"""Lists of conversations: one's own, by last activity, and the public topics."""

from __future__ import annotations

from typing import Annotated, Literal

import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat.ledger import Actor, View
from hubbub.chat.listing import my_conversations, tombstones, word_begins
from hubbub.chat.model import ConversationKind, MyConversation
from hubbub.chat.operations import read
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.rows import CONVERSATION, ConversationRow
from hubbub.chat.users import myself
from hubbub.storage.tables import conversations, members


class ListConversations(Struct, frozen=True, forbid_unknown_fields=True):
    """Which of one's own: without `kind` all kinds, without `unread` read ones too. `state` invited: those that wait
    for an answer."""

    kind: ConversationKind | None = None
    state: Literal["joined", "invited"] = "joined"
    archived: bool = False
    unread: bool | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class DiscoverTopics(Struct, frozen=True, forbid_unknown_fields=True):
    """Which topics: `query` is what a word of the name begins with."""

    query: Annotated[str, Meta(examples=["engin"])] | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class ConversationPage(Struct, frozen=True, omit_defaults=True):
    """Conversations, that with the newest message first. `next` is absent on the last page."""

    conversations: tuple[MyConversation, ...]
    next: str | None = None


@read("conversations.list", "GET", "/conversations")
def page(view: View, actor: Actor, params: ListConversations) -> ConversationPage:
    """One's own conversations with their counters and newest messages, by last activity.

    Nothing is in two pages because of what happens between: a conversation in which somebody writes meanwhile moves to
    the top, of which a live session hears. Raises VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.page`).
    """
    unread = conversations.c.messages - members.c.read_number
    query = (
        sa.select(*CONVERSATION)
        .join(members, members.c.conversation == conversations.c.id)
        .where(members.c.user == myself(actor), members.c.state == params.state)
    )
    if params.state == "joined":
        query = query.where(members.c.archived.is_(params.archived))
    if params.kind is not None:
        query = query.where(conversations.c.kind == params.kind)
    if params.unread:
        query = query.where(unread > 0, unread - tombstones > 0)
    elif params.unread is False:
        query = query.where(sa.or_(unread <= 0, unread - tombstones <= 0))
    return _page(view, actor, query, params)


@read("conversations.discover", "GET", "/topics")
def discover(view: View, actor: Actor, params: DiscoverTopics) -> ConversationPage:
    """Public topics that anybody may read and join, by last activity; with `query` those of that name.

    Raises VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.page`, `limits.query_length`).
    """
    query = sa.select(*CONVERSATION).where(
        conversations.c.kind == "topic",
        conversations.c.closed.is_(False),
        # Only what differs from the kind's is kept: then not everybody may read.
        conversations.c.permissions.not_like('%"read":%'),
    )
    if params.query is not None:
        query = query.where(word_begins(view, conversations.c.name, params.query, "query"))
    return _page(view, actor, query, params)


def _page(
    view: View, actor: Actor, query: sa.Select[tuple[object, ...]], params: ListConversations | DiscoverTopics
) -> ConversationPage:
    size = page_size(view.config, params.limit)
    place = sa.tuple_(conversations.c.last_activity, conversations.c.id)
    if params.cursor is not None:
        query = query.where(place < sa.tuple_(*read_cursor(params.cursor, tuple[float, str])))
    query = query.order_by(conversations.c.last_activity.desc(), conversations.c.id.desc()).limit(size + 1)
    found = [ConversationRow(*row) for row in view.execute(query)]
    rows = found[:size]
    mine = tuple(my_conversations(view, actor.user, rows))
    more = len(found) > size
    return ConversationPage(mine, cursor(rows[-1].last_activity, rows[-1].id) if more else None)


OPERATIONS = (page, discover)
