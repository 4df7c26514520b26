"""The logs as they were written: pages of a conversation's events, and of a user's inbox."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import sqlalchemy as sa
from msgspec import Meta, Raw, Struct

from hubbub.chat import limits
from hubbub.chat.ledger import Actor, View
from hubbub.chat.messages import floor_of
from hubbub.chat.model import ConversationId, Seq
from hubbub.chat.operations import read
from hubbub.storage.tables import events, inbox

PAGE = 100
"""Events of a page for which no `limit` was asked."""


class LogRow(NamedTuple):
    """One event of a log; `data` is its JSON. An inbox's have no actor."""

    seq: int
    type: str
    data: str
    time: float
    actor: str | None = None


class ListEvents(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The events of a conversation after `since`."""

    conversation: ConversationId
    since: Annotated[Seq, Meta(description="Events with a greater seq.", examples=[41])] = 0
    limit: Annotated[int, Meta(ge=1, description="At most so many; not above `limits.history`.")] | None = (
        None
    )


class EventPage(Struct, frozen=True, omit_defaults=True):
    """Events, the oldest first, as they were pushed. `seq` is the head of the log. `next` is the `since` of the next
    page, absent on the last one: it may be beyond the last event here, for what one may not see is left out."""

    events: tuple[Raw, ...]
    seq: int
    next: int | None = None


@read("events.list", "GET", "/conversations/{conversation}/events")
def page(view: View, actor: Actor, params: ListEvents) -> EventPage:
    """A page of a conversation's log, as far back as one may read.

    Applied in their order to what was known at `since`, the events give what is so now. Events about messages from
    before one joined are left out where the conversation's history is not for those who come later. A page ends early
    at `limits.history_bytes`.

    Raises NOT_FOUND, PERMISSION_DENIED and LIMIT_EXCEEDED (`limits.history`).
    """
    row, member = view.access(actor, params.conversation, "read")
    most = view.config.limits.history
    if params.limit is not None:
        limits.check(view.config.limits, "history", params.limit, "limit")
    size = min(params.limit or PAGE, most)
    found = log_page(view, row.id, params.since, size + 1, floor=floor_of(actor, row, member))
    kept: list[Raw] = []
    held = 0
    for each in found[:size]:
        data = each.data.encode()
        held += len(data)
        if kept and held > view.config.limits.history_bytes:
            break
        kept.append(Raw(data))
    following = found[len(kept) - 1].seq if len(kept) < len(found) else None
    return EventPage(tuple(kept), row.head, following)


def log_page(
    view: View,
    conversation: str,
    since: int,
    limit: int,
    *,
    reverse: bool = False,
    before: int | None = None,
    floor: int = 0,
) -> list[LogRow]:
    """Events after `since` (and `before` a seq), the oldest first or, with `reverse`, the newest. What may not be seen
    below `floor` is left out: events up to there, and later ones about messages from there."""
    about = sa.or_(events.c.message.is_(None), events.c.message > floor)
    query = sa.select(events.c.seq, events.c.type, events.c.data, events.c.time, events.c.actor).where(
        events.c.conversation == conversation, events.c.seq > max(since, floor)
    )
    if floor:
        query = query.where(about)
    return _page(view, events, query, limit, reverse, before)


def inbox_page(
    view: View, user: str, since: int, limit: int, *, reverse: bool = False, before: int | None = None
) -> list[LogRow]:
    """As `log_page`, of an inbox; only its newest `chat.inbox_size` events are kept."""
    query = sa.select(inbox.c.seq, inbox.c.type, inbox.c.data, inbox.c.time, sa.null()).where(
        inbox.c.user == user, inbox.c.seq > since
    )
    return _page(view, inbox, query, limit, reverse, before)


def _page(
    view: View,
    table: sa.Table,
    query: sa.Select[*tuple[object, ...]],
    limit: int,
    reverse: bool,
    before: int | None,
) -> list[LogRow]:
    if before is not None:
        query = query.where(table.c.seq < before)
    query = query.order_by(table.c.seq.desc() if reverse else table.c.seq).limit(limit)
    return [LogRow(*row) for row in view.execute(query)]


OPERATIONS = (page,)
