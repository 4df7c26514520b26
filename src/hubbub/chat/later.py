"""What users have put on the agenda for themselves: scheduled messages and reminders are rows of it, which only their
user sees."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat import limits
from hubbub.chat.agenda import ITEM, Item
from hubbub.chat.events import InboxHead
from hubbub.chat.inbox import tell_all
from hubbub.chat.ledger import AGENDA, Actor, Ledger, View
from hubbub.chat.paging import read_cursor
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Logged
from hubbub.storage.tables import agenda, users

KEPT = 30 * 86_400.0
"""Seconds for which what failed or is past stays to be seen."""
LAST = 2.0**53
Id = Annotated[int, Meta(ge=0, le=2**53, description="As it was given when it was made.")]
At = Annotated[
    float,
    Meta(
        ge=0,
        le=LAST,
        description="Unix seconds, in the future and at most `limits.schedule_ahead` from now.",
        examples=[1798790400],
    ),
]


def check_at(view: View, at: float) -> None:
    """Raises VALIDATION_FAILED for what is past, and LIMIT_EXCEEDED for what is too far ahead."""
    if at <= view.now:
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "at: that time is past", field="at")
    limits.check(view.config.limits, "schedule_ahead", at - view.now, "at")


def check_room(ledger: Ledger, actor: Actor, limit: str, *kinds: str) -> None:
    """Raises LIMIT_EXCEEDED for a user who has as many of the `kinds` as `limits.<limit>` says. One user's calls wait
    for one another from here on."""
    if actor.server:
        return
    ledger.execute(sa.select(users.c.id).where(users.c.id == actor.user).with_for_update())
    count = sa.select(sa.func.count()).where(agenda.c.user == actor.user, agenda.c.kind.in_(kinds))
    limits.check(ledger.config.limits, limit, ledger.execute(count).scalar_one() + 1, "at")


def one(view: View, actor: Actor, kinds: tuple[str, ...], id: int, field: str, *, lock: bool = False) -> Item:
    """Raises NOT_FOUND, in the same words for what is another's."""
    query = sa.select(*ITEM).where(agenda.c.id == id, _of(actor), agenda.c.kind.in_(kinds))
    row = view.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise HubbubError(ErrorCode.NOT_FOUND, f"{field}: there is no such thing, or it is done", field=field)
    return Item(*row)


def some(
    view: View,
    actor: Actor,
    kinds: tuple[str, ...],
    *,
    conversation: str | None = None,
    after: str | None = None,
    count: int | None = None,
) -> list[Item]:
    """By `due` and id; `after` is the cursor that says both of the last one before. Raises VALIDATION_FAILED."""
    query = sa.select(*ITEM).where(_of(actor), agenda.c.kind.in_(kinds))
    if conversation is not None:
        query = query.where(agenda.c.conversation == conversation)
    if after is not None:
        place = read_cursor(after, tuple[float, int])
        query = query.where(sa.tuple_(agenda.c.due, agenda.c.id) > sa.tuple_(*place))
    return [Item(*row) for row in view.execute(query.order_by(agenda.c.due, agenda.c.id).limit(count))]


def _of(actor: Actor) -> sa.ColumnElement[bool]:
    return agenda.c.user.is_(None) if actor.server else agenda.c.user == actor.user


def move(ledger: Ledger, item: Item, kind: str, due: float, data: Struct) -> Item:
    """Change what is on the agenda."""
    values = {"kind": kind, "due": due, "next": due, "attempts": 0, "data": _json(data)}
    query = agenda.update().where(agenda.c.id == item.id).values(values).returning(*ITEM)
    return _woken(ledger, Item(*ledger.execute(query).one()))


def restore(ledger: Ledger, item: Item, kind: str, due: float, data: Struct) -> Item:
    """As `move`, for what its handler has just done."""
    values = msgspec.structs.asdict(item) | {
        "kind": kind,
        "due": due,
        "next": due,
        "attempts": 0,
        "data": _json(data),
    }
    return _woken(ledger, Item(*ledger.execute(agenda.insert().values(values).returning(*ITEM)).one()))


def remove(ledger: Ledger, item: Item) -> None:
    ledger.execute(agenda.delete().where(agenda.c.id == item.id))


def tell(ledger: Ledger, user: str | None, event: type[InboxHead], **fields: Any) -> None:
    """Into the inbox of a user, if there is one (still)."""
    if user is not None:
        tell_all(ledger, [(user, event, fields)])


def _json(data: Struct) -> str:
    return msgspec.json.encode(data).decode()


def _woken(ledger: Ledger, item: Item) -> Item:
    ledger.tx.outbox.append(Logged(AGENDA, item.id, item.kind, b"", None, item.due))
    return item
