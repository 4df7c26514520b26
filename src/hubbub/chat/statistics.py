"""Figures for administrators: who is there and writes, how much there is, what waits for whom, how large it all is.

Everything is counted when it is asked for, in one snapshot: users and conversations by one pass over their tables, all
else in indexes. What grows with every message is counted for some days only, and up to `COUNTED` of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat.ledger import View
from hubbub.chat.operations import Caller, run
from hubbub.chat.standing import require_office
from hubbub.storage import bulk
from hubbub.storage.tables import (
    Number,
    agenda,
    cases,
    conversations,
    file_usage,
    files,
    holds,
    legal_holds,
    messages,
    restrictions,
    users,
)

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

DAY = 86_400.0
SPANS = (DAY, 7 * DAY, 30 * DAY)
MOST_DAYS = 90
COUNTED = 1_000_000
"""Messages that are counted one by one, at the most: a tenth of a second."""
WAITING = ("open", "appealed")
"""States in which a case waits for a moderator."""

Counts = dict[str, int]


class GetStatistics(Struct, frozen=True, forbid_unknown_fields=True):
    """For how many days the messages of each are counted, today (UTC) among them."""

    days: Annotated[int, Meta(ge=1, le=MOST_DAYS, description="Of messages by day.", examples=[7])] = 7


class Recent(Struct, frozen=True):
    """How many in the last 24 hours, 7 days and 30 days."""

    day: int = 0
    week: int = 0
    month: int = 0


class UserFigures(Struct, frozen=True):
    """Of users: in all, by kind, how many have come to be known (`new`) and were there (`active`: connected, not by
    REST alone) lately, and are there now. Who was erased is in no other number."""

    total: int
    kinds: Counts
    new: Recent
    active: Recent
    online: int
    erased: int


class ConversationFigures(Struct, frozen=True):
    """Of conversations: in all, by kind, how many were made (`new`) and written in (`active`: in the main timeline)
    lately, are closed, and how many places in them are taken (`members`)."""

    total: int
    kinds: Counts
    new: Recent
    active: Recent
    closed: int
    members: int


class Day(Struct, frozen=True, omit_defaults=True):
    """Messages of a day (UTC). `more`: there are more than were counted."""

    day: Annotated[str, Meta(examples=["2026-11-22"])]
    messages: int
    more: bool = False


class MessageFigures(Struct, frozen=True):
    """Of messages. `total` is how many there were ever: deleted ones leave tombstones and are in it. On PostgreSQL it
    is an estimate, which may be too high. `days` begin with the oldest; with more than a million messages in them there
    are fewer days."""

    total: int
    days: tuple[Day, ...]


class FileFigures(Struct, frozen=True):
    """Of files: how many users have, with how many bytes, as against their quotas, and in which state they are."""

    total: int
    bytes: int
    states: Counts


class ModerationFigures(Struct, frozen=True, omit_defaults=True):
    """What waits for moderators, the oldest case of it since when, held messages, and restrictions in force by kind."""

    open: int
    appealed: int
    held: int
    restrictions: Counts
    oldest: float | None = None


class AgendaFigures(Struct, frozen=True, omit_defaults=True):
    """What is to be done later, by kind; how much of it is due and not done, and the oldest of that since when."""

    waiting: int
    kinds: Counts
    due: int
    oldest: float | None = None


class StorageFigures(Struct, frozen=True):
    """The database, and how many bytes it takes on its disk, without what lies beside it (logs, files of users)."""

    database: Annotated[str, Meta(examples=["sqlite"])]
    bytes: int


class Statistics(Struct, frozen=True):
    """Figures of the whole, at one `time`. `legal_holds` are those in force."""

    time: float
    users: UserFigures
    conversations: ConversationFigures
    messages: MessageFigures
    files: FileFigures
    moderation: ModerationFigures
    agenda: AgendaFigures
    storage: StorageFigures
    legal_holds: int


@run("statistics.get", "GET", "/statistics")
async def get(chat: Chat, caller: Caller, params: GetStatistics) -> Statistics:
    """How many users, conversations, messages and files there are, and what waits to be done.

    For the server API and admins. It is counted when it is asked for, which takes about a second for a million users or
    messages: once in a while is meant, and `/metrics` for every few seconds. Raises PERMISSION_DENIED.
    """
    present = chat.presence.everybody()

    def look(view: View) -> Statistics:
        require_office(view, caller.actor, "admin")
        return statistics_of(view, present, params.days)

    return await chat.read(look)


OPERATIONS = (get,)


def statistics_of(view: View, present: Iterable[str], days: int) -> Statistics:
    """`present` are the users who are there now."""
    return Statistics(
        view.now,
        _users(view, present),
        _conversations(view),
        MessageFigures(
            view.execute(sa.select(sa.func.max(messages.c.id))).scalar() or 0, by_day(view, days, COUNTED)
        ),
        _files(view),
        _moderation(view),
        _agenda(view),
        _storage(view),
        view.execute(sa.select(sa.func.count()).select_from(legal_holds)).scalar_one(),
    )


def _users(view: View, present: Iterable[str]) -> UserFigures:
    gone = users.c.erased.is_not(None)
    lately = (*_since(view, users.c.created), *_since(view, users.c.last_seen))
    query = sa.select(users.c.kind, gone, sa.func.count(), *map(_number, lately)).group_by(users.c.kind, gone)
    kinds: Counts = {}
    erased, sums = 0, [0] * len(lately)
    for kind, is_gone, count, *rest in view.execute(query):
        if is_gone:
            erased += count
        else:
            kinds[kind] = count
            sums = [one + other for one, other in zip(sums, rest, strict=True)]
    # Who is there now was last seen at the end of the time before.
    ids = [(id,) for id in present]
    times = [time for (time,) in bulk.select(view.source, users, ("last_seen",), ("id",), ids)]
    active = [
        count + sum(time is None or time < view.now - span for time in times)
        for count, span in zip(sums[3:], SPANS, strict=True)
    ]
    return UserFigures(sum(kinds.values()), kinds, Recent(*sums[:3]), Recent(*active), len(times), erased)


def _conversations(view: View) -> ConversationFigures:
    table = conversations.c
    # Where nothing was said, the last activity is the making.
    said = [sa.and_(table.messages > 0, since) for since in _since(view, table.last_activity)]
    figures = [_number(each) for each in (*_since(view, table.created), *said, table.closed)]
    query = sa.select(table.kind, sa.func.count(), *figures, sa.func.sum(table.members))
    kinds: Counts = {}
    sums = [0] * 8
    for kind, count, *rest in view.execute(query.group_by(table.kind)):
        kinds[kind] = count
        sums = [one + int(other) for one, other in zip(sums, rest, strict=True)]
    return ConversationFigures(
        sum(kinds.values()), kinds, Recent(*sums[:3]), Recent(*sums[3:6]), sums[6], sums[7]
    )


def by_day(view: View, days: int, most: int) -> tuple[Day, ...]:
    """How many messages each day has, today (UTC) the last; fewer days where it takes counting more than `most`."""
    today = int(view.now // DAY)
    while True:
        counts = _counted(view, (today + 1 - days) * DAY, most)
        over = sum(counts.values()) >= most
        if not over or days == 1:
            break
        days = max(1, days // 4)
    return tuple(
        Day(datetime.fromtimestamp(day * DAY, UTC).date().isoformat(), counts.get(day, 0), over)
        for day in range(today + 1 - days, today + 1)
    )


def _counted(view: View, since: float, most: int) -> dict[int, int]:
    """By day since 1970: in each conversation the end of its index by time."""
    id: sa.ColumnElement[str] = conversations.c.id
    if (
        view.dialect == "sqlite"
    ):  # which would read the whole index, and look up the conversation of each entry
        id = id.concat("")
    times = (
        sa.select(messages.c.created)
        .select_from(conversations)
        .join(messages, messages.c.conversation == id)
        .where(messages.c.created >= since)
        .limit(most)
        .subquery()
    )
    day: sa.ColumnElement[Any] = times.c.created / DAY
    if view.dialect == "postgresql":  # SQLite's cast rounds down by itself
        day = sa.func.floor(day)
    day = sa.cast(day, Number)
    query = sa.select(day, sa.func.count()).group_by(day)
    return {int(day): count for day, count in view.execute(query)}


def _files(view: View) -> FileFigures:
    used = sa.select(
        sa.func.coalesce(sa.func.sum(file_usage.c.files), 0),
        sa.func.coalesce(sa.func.sum(file_usage.c.bytes), 0),
    )
    total, size = view.execute(used).one()
    states = sa.select(files.c.state, sa.func.count()).where(files.c.state != "gone").group_by(files.c.state)
    return FileFigures(int(total), int(size), _counts(view, states))


def _moderation(view: View) -> ModerationFigures:
    waiting = sa.select(cases.c.state, sa.func.count(), sa.func.min(cases.c.created)).where(
        cases.c.state.in_(WAITING)
    )
    found = {state: (count, oldest) for state, count, oldest in view.execute(waiting.group_by(cases.c.state))}
    held = sa.select(sa.func.count()).select_from(holds).where(holds.c.state == "pending")
    in_force = sa.or_(restrictions.c.until.is_(None), restrictions.c.until > view.now)
    kinds = sa.select(restrictions.c.kind, sa.func.count()).where(in_force).group_by(restrictions.c.kind)
    return ModerationFigures(
        found.get("open", (0, None))[0],
        found.get("appealed", (0, None))[0],
        view.execute(held).scalar_one(),
        _counts(view, kinds),
        min((oldest for _, oldest in found.values()), default=None),
    )


def _agenda(view: View) -> AgendaFigures:
    kinds = _counts(view, sa.select(agenda.c.kind, sa.func.count()).group_by(agenda.c.kind))
    late = sa.select(sa.func.count(), sa.func.min(agenda.c.next)).where(agenda.c.next <= view.now)
    due, oldest = view.execute(late).one()
    return AgendaFigures(sum(kinds.values()), kinds, due, oldest)


def _storage(view: View) -> StorageFigures:
    if view.dialect == "sqlite":
        size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    else:
        size = "SELECT pg_database_size(current_database())"
    return StorageFigures(view.dialect, int(view.execute(sa.text(size)).scalar_one()))


def _since(view: View, time: sa.Column[float]) -> list[sa.ColumnElement[bool]]:
    return [time >= view.now - span for span in SPANS]


def _number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    """In how many rows it holds."""
    return sa.func.sum(sa.case((condition, 1), else_=0))


def _counts(view: View, query: sa.Select[Any]) -> Counts:
    return {row[0]: row[1] for row in view.execute(query)}
