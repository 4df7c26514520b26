"""Restricting users: muting, banning, shadow-banning them, in a conversation or everywhere, for some time or for good.

Each restriction is the decision of a case, so that it can be looked up and appealed (`chat/deciding.py`); what it keeps
its user from is in `chat/restraint.py`.
"""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat import membership, text
from hubbub.chat.cases import Decision, Kept, new_case, save
from hubbub.chat.events import RestrictionChanged
from hubbub.chat.inbox import tell_all
from hubbub.chat.ledger import SERVER, Actor, Ledger, View
from hubbub.chat.limits import check
from hubbub.chat.model import FOREVER, ConversationId, RestrictionKind, UserId
from hubbub.chat.operations import NoParams, Nothing, read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.restraint import EVERYWHERE
from hubbub.chat.rows import ConversationRow
from hubbub.chat.standing import moderated, require_above, require_over
from hubbub.chat.users import myself, no_such_user
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.tables import restrictions

TABLE = ("user", "conversation", "kind", "until", "reason", "by", "created", "changed")
KEY = (restrictions.c.user, restrictions.c.conversation, restrictions.c.kind)
COLUMNS: tuple[sa.Column[Any], ...] = tuple(restrictions.c[name] for name in TABLE[:-1])
Until = Annotated[
    float,
    Meta(ge=0, le=FOREVER, description="Unix seconds; without it, until it is lifted.", examples=[1.8e9]),
]
Reason = Annotated[str, Meta(description="What its user is told.", examples=["Advertising"])]


class SetRestriction(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to be restricted: in a conversation, or everywhere."""

    user: Annotated[UserId, Meta(examples=["bob"])]
    kind: RestrictionKind
    conversation: ConversationId | None = None
    until: Until | None = None
    reason: Reason = ""


class LiftRestriction(Struct, frozen=True, forbid_unknown_fields=True):
    """Which restriction is to end: one in a conversation, or one that is everywhere."""

    user: UserId
    kind: RestrictionKind
    conversation: ConversationId | None = None


class ListRestrictions(Struct, frozen=True, forbid_unknown_fields=True):
    """Which restrictions: of a conversation (without one, all), of a user, of a kind."""

    conversation: ConversationId | None = None
    user: UserId | None = None
    kind: RestrictionKind | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class Restriction(Struct, frozen=True, omit_defaults=True):
    """A restriction that is in force. Without a `conversation` it is everywhere; without `until` it is until it is
    lifted. `by` is absent for the server, and to its user."""

    user: str
    kind: RestrictionKind
    conversation: str | None = None
    until: float | None = None
    reason: str = ""
    by: str | None = None
    created: float = 0.0


class RestrictionPage(Struct, frozen=True, omit_defaults=True):
    """Restrictions, by user. `next` is absent on the last page."""

    restrictions: tuple[Restriction, ...]
    next: str | None = None


class MyRestrictions(Struct, frozen=True):
    """One's own mutes and bans."""

    restrictions: tuple[Restriction, ...]


@write("restrictions.set", "PUT", "/restrictions/{kind}/{user}")
def put(ledger: Ledger, actor: Actor, params: SetRestriction) -> Restriction:
    """Mute, ban or shadow-ban a user, or change for how long.

    A `mute` keeps the user from writing: messages, edits, reactions, votes, typing. A `ban` from a conversation removes
    it there, too, and it cannot come back; a ban everywhere leaves it only to read. Of a `shadow` ban it does not
    learn: what it sends is shown to nobody else. In a conversation it takes the permission `moderate`, and everywhere
    an office; nobody restricts who stands as high. Raises NOT_FOUND, PERMISSION_DENIED, VALIDATION_FAILED and
    LIMIT_EXCEEDED (`limits.note_length`).
    """
    row = moderated(ledger, actor, params.conversation, lock=True)
    if ledger.missing_users([params.user]):
        raise no_such_user()
    require_above(ledger, actor, params.user, row, "user")
    _require_over(ledger, actor, params)
    reason = said(ledger, params.reason, "reason")
    made = restrict(ledger, actor, row, params.user, params.kind, params.until, reason)
    case = new_case(ledger, "user", params.user, conversation=params.conversation, state="decided")
    decision = Decision(
        params.kind, ledger.now, actor.user or None, made.until, params.conversation, text=reason
    )
    save(ledger, case, Kept(decision=decision))
    return made


@write("restrictions.lift", "DELETE", "/restrictions/{kind}/{user}")
def remove(ledger: Ledger, actor: Actor, params: LiftRestriction) -> Nothing:
    """End a restriction. It is no error if there is none.

    Who was banned from a conversation is not put back into it, but may join or be invited again. Raises NOT_FOUND and
    PERMISSION_DENIED, as `restrictions.set`.
    """
    row = moderated(ledger, actor, params.conversation, lock=True)
    if ledger.missing_users([params.user]):
        raise no_such_user()
    require_above(ledger, actor, params.user, row, "user")
    _require_over(ledger, actor, params)
    lift(ledger, actor, params.user, params.kind, params.conversation)
    return Nothing()


@read("restrictions.list", "GET", "/restrictions")
def page(view: View, actor: Actor, params: ListRestrictions) -> RestrictionPage:
    """Who is restricted, by user.

    Of a conversation it takes the permission `moderate`, of all an office. Raises NOT_FOUND, PERMISSION_DENIED,
    VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.page`).
    """
    size = page_size(view.config, params.limit)
    moderated(view, actor, params.conversation)
    query = sa.select(*COLUMNS).where(_in_force(view))
    for name in ("conversation", "user", "kind"):
        if (wanted := getattr(params, name)) is not None:
            query = query.where(restrictions.c[name] == wanted)
    if params.cursor is not None:
        after = read_cursor(params.cursor, tuple[str, str, str])
        query = query.where(sa.tuple_(*KEY) > sa.tuple_(*after))
    rows = view.execute(query.order_by(*KEY).limit(size + 1)).all()
    found = tuple(_restriction(row) for row in rows[:size])
    last = rows[size - 1] if len(rows) > size else None
    return RestrictionPage(found, None if last is None else cursor(last.user, last.conversation, last.kind))


@read("me.restrictions", "GET", "/me/restrictions")
def mine(view: View, actor: Actor, params: NoParams) -> MyRestrictions:
    """One's own mutes and bans that are in force, in the order of the conversations."""
    query = sa.select(*COLUMNS).where(
        restrictions.c.user == myself(actor), restrictions.c.kind != "shadow", _in_force(view)
    )
    rows = view.execute(query.order_by(*KEY))
    return MyRestrictions(tuple(_restriction(row, named=False) for row in rows))


OPERATIONS = (put, remove, page, mine)


# --- what is done -------------------------------------------------------------------------------------------------


def restrict(
    ledger: Ledger,
    actor: Actor,
    row: ConversationRow | None,
    user: str,
    kind: RestrictionKind,
    until: float | None,
    reason: str,
) -> Restriction:
    """Restrict a user in a conversation (whose `row` is locked) or everywhere, as somebody who may. Raises
    VALIDATION_FAILED for a time that has passed."""
    if until is not None and until <= ledger.now:
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "until: it has passed", field="until")
    if until is not None and until >= FOREVER:
        until = None
    where = EVERYWHERE if row is None else row.id
    passed = (restrictions.c.user == user, restrictions.c.until <= ledger.now)
    ledger.execute(restrictions.delete().where(*passed))
    values = (user, where, kind, until, reason, actor.user or None, ledger.now, ledger.tx.stamp)
    bulk.insert(ledger.tx, restrictions, TABLE, [values], update=TABLE[3:])
    ledger.audit(
        actor, f"restrictions.{kind}", conversation=where or None, user=user, until=until, reason=reason
    )
    if kind == "ban" and row is not None and row.kind != "direct":
        member = ledger.member(row.id, user)
        if member is not None and member.state != "left":
            membership.go(ledger, row, SERVER, member, "member.removed" if member.joined else None)
    if kind != "shadow":
        fields = {"kind": kind, "conversation": where or None, "until": until, "reason": reason}
        tell_all(ledger, [(user, RestrictionChanged, fields)])
    return Restriction(user, kind, where or None, until, reason, actor.user or None, ledger.now)


def lift(ledger: Ledger, actor: Actor, user: str, kind: RestrictionKind, conversation: str | None) -> bool:
    """End a restriction; whether it was in force."""
    where = _which(user, conversation, kind)
    found = ledger.execute(sa.select(restrictions.c.until).where(*where)).first()
    if found is None:
        return False
    ledger.execute(restrictions.delete().where(*where))
    if found.until is not None and found.until <= ledger.now:
        return False
    ledger.audit(actor, "restrictions.lift", conversation=conversation, user=user, kind=kind)
    if kind != "shadow":
        fields = {"kind": kind, "conversation": conversation, "lifted": True}
        tell_all(ledger, [(user, RestrictionChanged, fields)])
    return True


def _require_over(ledger: Ledger, actor: Actor, params: SetRestriction | LiftRestriction) -> None:
    """What an office has decided is not changed by those who have none."""
    where = _which(params.user, params.conversation, params.kind)
    found = ledger.execute(sa.select(restrictions.c.by).where(*where, _in_force(ledger))).first()
    if found is not None:
        require_over(ledger, actor, found.by, "user")


def said(view: View, given: str, field: str) -> str:
    """What moderators say to users, or note for each other; it may be empty. Raises VALIDATION_FAILED and
    LIMIT_EXCEEDED (`limits.note_length`)."""
    if not given.strip():
        return ""
    found = text.text(given, field)
    check(view.config.limits, "note_length", len(found), field)
    return found


def _which(user: str, conversation: str | None, kind: RestrictionKind) -> tuple[sa.ColumnElement[bool], ...]:
    values = (user, conversation or EVERYWHERE, kind)
    return tuple(column == value for column, value in zip(KEY, values, strict=True))


def _in_force(view: View) -> sa.ColumnElement[bool]:
    return sa.or_(restrictions.c.until.is_(None), restrictions.c.until > view.now)


def _restriction(row: Any, *, named: bool = True) -> Restriction:
    user, conversation, kind, until, reason, by, created = row
    return Restriction(user, kind, conversation or None, until, reason, by if named else None, created)
