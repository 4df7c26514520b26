"""The newest messages that match, as far as somebody may read: one statement, which knows who asks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Raw, Struct

from hubbub.chat import rules
from hubbub.chat.ledger import Actor, View
from hubbub.chat.messages import floor_of
from hubbub.chat.model import Permission, Rank
from hubbub.chat.parts import searchable
from hubbub.chat.rows import ConversationRow
from hubbub.chat.search_index import STRETCH, scope
from hubbub.chat.search_query import Query, fts5, tsquery
from hubbub.storage.tables import Number, conversations, members, messages

SCOPES = 500
"""Conversations that are named to the index; who has more searches all of it, for what is in theirs."""
SKEW = 300.0
"""Seconds by which clocks may differ, so that an earlier message has a later time."""
FIRST, MOST = 2, 16
"""Stretches of a conversation that PostgreSQL looks through at first, and at once."""
MATCH_COST, STRETCH_COST = 4, 400
"""Microseconds that PostgreSQL takes for a match if it looks for all of them, and for a stretch, about."""

_permissions = msgspec.json.Decoder(dict[Permission, Rank]).decode
_parts = msgspec.json.Decoder(tuple[Raw, ...]).decode


SQLITE = (
    "SELECT m.id, m.seq, m.created, m.parts FROM message_search AS s CROSS JOIN messages AS m ON m.id = s.rowid"
    " WHERE s.message_search MATCH :match AND s.rowid <= :top AND {} ORDER BY s.rowid DESC LIMIT :count"
)
"""FTS5 gives the matches from the newest on, one by one; nothing is sorted."""
POSTGRESQL = (
    "WITH found AS MATERIALIZED (SELECT id FROM message_search WHERE terms @@ CAST(:match AS tsquery))"
    " SELECT m.id, m.seq, m.created, m.parts"
    " FROM (SELECT id FROM found WHERE id <= :top ORDER BY id DESC OFFSET 0) AS s JOIN messages AS m ON m.id = s.id"
    " WHERE {} ORDER BY s.id DESC LIMIT :count"
)
"""By the index and then message by message, until there are enough. The planner would guess how often a word that it
does not know is found, and rather read a million messages from the newest on."""


class Match(Struct, frozen=True):
    """A message that matches: its id in the index, its seq, when it was sent, and what it says."""

    id: int
    seq: int
    created: float
    text: str


@dataclass(frozen=True, slots=True)
class Reach:
    """Where `user` may search (empty: the server): in one conversation (`within`) after `floor`; or in all `joined`,
    but for those `denied`; or (None) everywhere."""

    user: str
    within: ConversationRow | None = None
    floor: int = 0
    joined: tuple[str, ...] | None = None
    denied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filters:
    """What else is asked of a message."""

    sender: str | None = None
    after: float | None = None
    before: float | None = None
    thread: int | None = None
    in_thread: bool | None = None


def reach_of(view: View, actor: Actor, conversation: str | None) -> Reach:
    """Raises NOT_FOUND and PERMISSION_DENIED for a conversation that the actor may not read."""
    if conversation is not None:
        row, member = view.access(actor, conversation, "read")
        return Reach(actor.user, row, floor_of(actor, row, member))
    if actor.server:
        return Reach("")
    query = (
        sa.select(conversations.c.id, conversations.c.kind, conversations.c.permissions, members.c.role)
        .join(members, members.c.conversation == conversations.c.id)
        .where(members.c.user == actor.user, members.c.state == "joined")
        .order_by(conversations.c.id)
    )
    joined: list[str] = []
    denied: list[str] = []
    for id, kind, permissions, role in view.execute(query):
        allowed = rules.allowed(kind, "read", role, _permissions(permissions))
        (joined if allowed else denied).append(id)
    return Reach(actor.user, joined=tuple(joined), denied=tuple(denied))


def matches(
    view: View, reach: Reach, query: Query, filters: Filters, count: int, top: tuple[int, int]
) -> list[Match]:
    """The newest `count` matches, the newest first, from `top` (the greatest id and seq that may come) on."""
    search = _Search(view, query, count, top[0])
    search.where("m.deleted IS NULL")
    if reach.user:
        search.where(
            "NOT EXISTS (SELECT 1 FROM hidden AS h WHERE h.conversation = m.conversation"
            ' AND h."user" = :user AND h.seq = m.seq)',
            user=reach.user,
        )
    if filters.sender is not None:
        search.where("m.sender = :sender", sender=filters.sender)
    if filters.after is not None:
        search.where("m.created >= :after", after=filters.after)
    if filters.before is not None:
        search.where("m.created < :before", before=filters.before)
    if filters.thread is not None:
        search.where("(m.thread = :thread OR m.seq = :thread)", thread=filters.thread)
    if filters.in_thread is not None:
        search.where(f"m.thread IS {'NOT NULL' if filters.in_thread else 'NULL'}")
    row = reach.within
    if row is None:
        return search.run(_everywhere(search, reach))
    search.where("m.conversation = :conversation AND m.seq > :floor", conversation=row.id, floor=reach.floor)
    last = min(top[1], row.head)
    if filters.before is not None:
        later = sa.select(messages.c.id, messages.c.seq).where(
            messages.c.conversation == row.id, messages.c.created >= filters.before + SKEW
        )
        if (found := view.execute(later.order_by(messages.c.created).limit(1)).first()) is not None:
            search.top, last = min(found.id, search.top), min(found.seq, last)
    if view.dialect == "sqlite":
        return search.run([scope(row.id)])
    return _by_stretches(search, scope(row.id), last, reach.floor)


def _everywhere(search: _Search, reach: Reach) -> list[str]:
    """Adds who may read what; gives the terms of the conversations, if they are not too many."""
    if reach.joined is None:
        return []
    search.where(
        "EXISTS (SELECT 1 FROM members AS r WHERE r.conversation = m.conversation"
        " AND r.\"user\" = :user AND r.state = 'joined' AND m.seq > r.visible)"
    )
    if len(reach.joined) <= SCOPES:
        return list(map(scope, reach.joined))
    if reach.denied:
        names = [f"denied{n}" for n in range(len(reach.denied))]
        search.where(
            f"m.conversation NOT IN ({', '.join(f':{name}' for name in names)})",
            **dict(zip(names, reach.denied, strict=True)),
        )
    return []


def _by_stretches(search: _Search, mark: str, last: int, floor: int) -> list[Match]:
    """On PostgreSQL, whose index gives all matches or none: first those of the newest stretches, and by how many they
    are either the next stretches or all that is left, whichever is less work."""
    found: list[Match] = []
    stretch, lowest = last // STRETCH, floor // STRETCH
    width, looked = FIRST, 0
    wanted = search.count
    while stretch >= lowest:
        search.count = wanted - len(found)
        if stretch - lowest < width:
            return found + search.run([mark], below=(stretch + 1) * STRETCH)
        found += search.run([f"{mark}.{stretch - n}" for n in range(width)])
        if len(found) >= wanted:
            break
        stretch -= width
        looked += width
        if not found:
            width = stretch + 1  # it is rare: look for all
            continue
        needed = math.ceil((wanted - len(found)) * looked / len(found))
        rest = (stretch - lowest + 1) * len(found) / looked
        width = stretch + 1 if rest * MATCH_COST < needed * STRETCH_COST else min(needed + 1, MOST)
    return found


class _Search:
    """One statement, and what it is given."""

    def __init__(self, view: View, query: Query, count: int, top: int) -> None:
        self.view = view
        self.query = query
        self.count = count
        self.top = top
        self._conditions: list[str] = []
        self._given: dict[str, Any] = {}

    def where(self, condition: str, **given: Any) -> None:
        self._conditions.append(condition)
        self._given |= given

    def run(self, scopes: Sequence[str], *, below: int | None = None) -> list[Match]:
        """The matches in `scopes`, of seqs `below`."""
        lite = self.view.dialect == "sqlite"
        given = self._given | {"top": self.top, "count": self.count}
        given["match"] = fts5(self.query, scopes) if lite else tsquery(self.query, scopes)
        conditions = self._conditions
        if below is not None:
            conditions = [*conditions, "m.seq < :below"]
            given["below"] = below
        statement = (SQLITE if lite else POSTGRESQL).format(" AND ".join(conditions))
        numbers = [sa.bindparam(name, type_=Number) for name, value in given.items() if type(value) is int]
        found = self.view.execute(sa.text(statement).bindparams(*numbers), given)
        return [Match(id, seq, created, searchable(_parts(parts))) for id, seq, created, parts in found]
