"""What the newest messages say that somebody may read. Bounded work, whatever it may not read or does not ask for."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nlargest

import msgspec
import sqlalchemy as sa
from msgspec import Raw

from hubbub.chat.ledger import Actor, View
from hubbub.chat.messages import not_hidden
from hubbub.chat.parts import searchable
from hubbub.chat.search_matches import Filters, Reach
from hubbub.storage.tables import conversations, members, messages

CONVERSATIONS = 10
"""The newest ones of somebody's, which are looked through."""
WIDTH = 2
"""Times as many messages as are wanted are looked at in each, for some may not be read or are not asked for."""
Found = tuple[int, str]
"""A message's id and parts."""

_parts = msgspec.json.Decoder(tuple[Raw, ...]).decode


def recent(view: View, reach: Reach, filters: Filters, count: int) -> list[str]:
    """What the newest `count` messages say that are in `reach` and that `filters` let through, the newest first."""
    found: list[Found] = []
    for conversation, floor in _places(view, reach):
        oldest = found[-1][0] if len(found) == count else 0
        found = nlargest(count, found + _newest(view, reach, filters, count, conversation, floor, oldest))
    return [searchable(_parts(parts)) for _, parts in found]


def _places(view: View, reach: Reach) -> Iterator[tuple[str | None, int]]:
    """Conversations (None: all of them) and the seqs after which one may read there."""
    if reach.within is not None:
        yield reach.within.id, reach.floor
    elif reach.joined is None:
        yield None, 0
    else:
        query = (
            sa.select(conversations.c.id, members.c.visible)
            .join(members, members.c.conversation == conversations.c.id)
            .where(members.c.user == reach.user, members.c.state == "joined")
            .order_by(conversations.c.last_activity.desc(), conversations.c.id)
            .limit(CONVERSATIONS + len(reach.denied))
        )
        allowed = [(id, visible) for id, visible in view.execute(query) if id not in reach.denied]
        yield from allowed[:CONVERSATIONS]


def _newest(
    view: View, reach: Reach, filters: Filters, count: int, conversation: str | None, floor: int, oldest: int
) -> list[Found]:
    """In one place, of a greater id than `oldest`. Only what an index knows chooses what is looked at."""
    window = messages.alias("looked")
    looked = sa.select(window.c.id).limit(count * WIDTH)
    if conversation is not None:
        looked = looked.where(window.c.conversation == conversation)
    if conversation is None:
        looked = looked.order_by(window.c.id.desc())
    elif filters.thread is not None:
        looked = looked.where(window.c.thread == filters.thread).order_by(window.c.seq.desc())
    else:
        looked = looked.order_by(window.c.created.desc())
        if filters.before is not None:
            looked = looked.where(window.c.created < filters.before)
    query = sa.select(messages.c.id, messages.c.parts).where(
        messages.c.id.in_(looked),
        messages.c.id > oldest,
        messages.c.seq > floor,
        messages.c.deleted.is_(None),
        not_hidden(Actor(reach.user)),
    )
    if filters.sender is not None:
        query = query.where(messages.c.sender == filters.sender)
    if filters.after is not None:
        query = query.where(messages.c.created >= filters.after)
    if filters.before is not None:
        query = query.where(messages.c.created < filters.before)
    if filters.in_thread is not None:
        query = query.where((messages.c.thread.is_not(None)) == filters.in_thread)
    return [(id, parts) for id, parts in view.execute(query.order_by(messages.c.id.desc()).limit(count))]
