"""Receipts: how far each member has read, and what was delivered to it. Cursors only move forward.

Marking is a hot path, for each message may be marked by each member: what comes together is written with a few
statements.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat import limits
from hubbub.chat.events import MembershipUpdated, Receipt
from hubbub.chat.inbox import tell_all
from hubbub.chat.ledger import Actor, Ledger, Notice, View
from hubbub.chat.listing import Pair, memberships_of
from hubbub.chat.messages import floor_of
from hubbub.chat.model import ConversationId, MyMembership, Seq
from hubbub.chat.operations import Caller, begin, read
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.users import myself
from hubbub.config import Config
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.base import Action, Transaction
from hubbub.storage.tables import conversations, members, messages

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat


class Mark(Struct, frozen=True, forbid_unknown_fields=True):
    """How far one has come in one conversation: a `seq`. What has been read has been delivered."""

    conversation: ConversationId
    read: Annotated[Seq, Meta(examples=[17])] | None = None
    delivered: Annotated[Seq, Meta(examples=[19])] | None = None


class MarkReceipts(Struct, frozen=True, forbid_unknown_fields=True):
    """Marks in any conversations."""

    marks: tuple[Mark, ...]


class Marked(Struct, frozen=True):
    """What a conversation is to the user now."""

    conversation: str
    membership: MyMembership


class MarkedReceipts(Struct, frozen=True, omit_defaults=True):
    """The conversations that were marked, and those of which the user is no member."""

    marked: tuple[Marked, ...] = ()
    unknown: tuple[str, ...] = ()


class ListReceipts(Struct, frozen=True, forbid_unknown_fields=True):
    """Who has `read` a message, or to whom it was `delivered`."""

    conversation: ConversationId
    message: Annotated[Seq, Meta(examples=[17])]
    state: Literal["read", "delivered"] = "read"
    limit: PageLimit | None = None
    cursor: After | None = None


class ReceiptPage(Struct, frozen=True, omit_defaults=True):
    """Members in the order of their ids, with the numbers of all: `read` have read the message, `delivered` have got
    it, out of `members`. Its sender is not counted, nor who has joined after it. `next` is absent on the last page."""

    receipts: tuple[Receipt, ...]
    read: int = 0
    delivered: int = 0
    members: int = 0
    next: str | None = None


@begin("receipts.mark", "POST", "/receipts")
def mark(chat: Chat, caller: Caller, params: MarkReceipts) -> asyncio.Future[MarkedReceipts]:
    """Say how far one has read, and what has arrived on one's devices.

    Cursors move forward only, and not beyond the newest event: an older mark changes nothing. The others learn of it by
    `receipts`, one's own devices of what was read by `membership.updated`. Conversations of which one is no member are
    `unknown` in the answer. Raises LIMIT_EXCEEDED (`limits.marks`).
    """
    limits.check(chat.config.limits, "marks", len(params.marks), "marks")
    user = myself(caller.actor)
    written = chat.store.write(MARK, _Marks(chat.config, user, params.marks))
    answer: asyncio.Future[MarkedReceipts] = asyncio.get_running_loop().create_future()
    written.add_done_callback(partial(_written, chat, user, answer))
    return answer


@read("receipts.list", "GET", "/conversations/{conversation}/receipts")
def page(view: View, actor: Actor, params: ListReceipts) -> ReceiptPage:
    """Who has read a message, or to whom it was delivered.

    Raises NOT_FOUND, PERMISSION_DENIED, VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.page`).
    """
    row, me = view.access(actor, params.conversation)
    message = view.execute(
        sa.select(messages.c.sender, messages.c.created).where(
            messages.c.conversation == row.id,
            messages.c.seq == params.message,
            sa.or_(messages.c.shadow.is_(None), messages.c.sender == actor.user),
        )
    ).first()
    if message is None or params.message <= floor_of(actor, row, me):
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such message", field="message")
    size = page_size(view.config, params.limit)
    column = members.c[params.state]
    meant = (
        members.c.conversation == row.id,
        members.c.state == "joined",
        members.c.since <= message.created,
        members.c.user != (message.sender or ""),
    )
    counts = sa.select(
        sa.func.count().filter(members.c.read >= params.message),
        sa.func.count().filter(members.c.delivered >= params.message),
        sa.func.count(),
    ).where(*meant)
    have_read, have_got, several = tuple(view.execute(counts).one())
    query = sa.select(members.c.user, members.c.read, members.c.delivered).where(
        *meant, column >= params.message
    )
    if params.cursor is not None:
        query = query.where(members.c.user > read_cursor(params.cursor, tuple[str])[0])
    found = [Receipt(*each) for each in view.execute(query.order_by(members.c.user).limit(size + 1))]
    more = len(found) > size
    return ReceiptPage(
        tuple(found[:size]), have_read, have_got, several, cursor(found[size - 1].user) if more else None
    )


OPERATIONS = (mark, page)


# --- marking ------------------------------------------------------------------------------------------------------


class _Marks(Struct, frozen=True):
    """One call."""

    config: Config
    user: str
    marks: tuple[Mark, ...]


class _Outcome(Struct, frozen=True):
    """What is answered, and which cursors stand where now, of those that have moved."""

    answer: MarkedReceipts
    moved: tuple[tuple[str, int, int], ...]


class _Cursors(Struct):
    """Of one member, as they are and as they are to be."""

    read: int
    read_number: int
    delivered: int
    delivered_number: int
    asked_read: int = 0
    asked_delivered: int = 0
    moved: bool = False
    moved_read: bool = False


class _Place(Struct, frozen=True):
    """What of a conversation is needed."""

    head: int
    messages: int
    last_message: int


def _mark(tx: Transaction, items: Sequence[_Marks]) -> list[_Outcome | HubbubError]:
    """All marks of a transaction at once."""
    ledger = Ledger(tx, items[0].config)
    pairs = {(mark.conversation, item.user) for item in items for mark in item.marks}
    places = _lock(ledger, sorted({conversation for conversation, _ in pairs}))
    cursors = _joined(tx, [pair for pair in sorted(pairs) if pair[0] in places])
    for item in items:
        for mark in item.marks:
            if (found := cursors.get((mark.conversation, item.user))) is not None:
                found.asked_read = max(found.asked_read, mark.read or 0)
                found.asked_delivered = max(found.asked_delivered, mark.delivered or 0)
    _move(ledger, places, cursors)
    _write(tx, cursors)
    mine = memberships_of(ledger, {id: place.messages for id, place in places.items()}, cursors)
    notices: list[Notice] = [
        (user, MembershipUpdated, {"conversation": id, "membership": mine[id, user]})
        for (id, user), each in cursors.items()
        if each.moved_read
    ]
    tell_all(ledger, notices)
    return [_outcome(item, cursors, mine) for item in items]


MARK: Action[_Marks, _Outcome] = Action(
    "receipts.mark", _mark, lambda item: (mark.conversation for mark in item.marks)
)


def _lock(ledger: Ledger, ids: Sequence[str]) -> dict[str, _Place]:
    query = sa.select(
        conversations.c.id, conversations.c.head, conversations.c.messages, conversations.c.last_message
    ).where(conversations.c.id.in_(ids))
    rows = ledger.execute(query.order_by(conversations.c.id).with_for_update())
    return {row.id: _Place(row.head, row.messages, row.last_message or 0) for row in rows}


def _joined(tx: Transaction, pairs: Sequence[Pair]) -> dict[Pair, _Cursors]:
    columns = ("conversation", "user", "state", "read", "read_number", "delivered", "delivered_number")
    found = bulk.select(tx, members, columns, ("conversation", "user"), pairs)
    rows = {(row[0], row[1]): _Cursors(*row[3:]) for row in found if row[2] == "joined"}
    return {pair: rows[pair] for pair in pairs if pair in rows}


def _move(ledger: Ledger, places: dict[str, _Place], cursors: dict[Pair, _Cursors]) -> None:
    for (id, _), each in cursors.items():
        head = places[id].head
        each.asked_read = min(each.asked_read, head)
        each.asked_delivered = max(min(each.asked_delivered, head), each.asked_read)
        each.moved_read = each.asked_read > each.read
        each.moved = each.moved_read or each.asked_delivered > each.delivered
    wanted: set[tuple[str, int]] = set()
    for (id, _), each in cursors.items():
        if each.moved:
            wanted |= {(id, each.asked_read), (id, each.asked_delivered)}
    # Nearly always it is the newest message that is marked.
    numbers = {(id, seq): places[id].messages for id, seq in wanted if seq >= places[id].last_message}
    numbers |= _numbers(ledger, wanted - numbers.keys())
    for (id, _), each in cursors.items():
        if each.moved_read:
            each.read, each.read_number = each.asked_read, numbers[id, each.asked_read]
        if each.moved and each.asked_delivered > each.delivered:
            each.delivered = each.asked_delivered
            each.delivered_number = numbers[id, each.asked_delivered]


def _numbers(ledger: Ledger, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """The number of the last message of the main timeline up to each seq."""
    rows = sorted(places)
    if not rows:
        return {}
    given = (
        sa.values(sa.column("conversation", sa.Text), sa.column("seq", sa.BigInteger), name="given")
        .data(rows)
        .cte("given")
    )
    number = (
        sa.select(messages.c.number)
        .where(
            messages.c.conversation == given.c.conversation,
            messages.c.seq <= given.c.seq,
            messages.c.number.is_not(None),
        )
        .order_by(messages.c.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = sa.select(given.c.conversation, given.c.seq, sa.func.coalesce(number, 0).label("number"))
    return {(row.conversation, row.seq): row.number for row in ledger.execute(query)}


def _write(tx: Transaction, cursors: dict[Pair, _Cursors]) -> None:
    moved = {pair: each for pair, each in cursors.items() if each.moved}
    columns = ("read", "read_number", "delivered", "delivered_number", "changed")
    bulk.update(
        tx,
        members,
        ("conversation", "user"),
        columns,
        [
            (*pair, each.read, each.read_number, each.delivered, each.delivered_number, tx.stamp)
            for pair, each in moved.items()
        ],
    )
    touched = sorted({conversation for conversation, _ in moved})
    bulk.update(tx, conversations, ("id",), ("changed",), [(id, tx.stamp) for id in touched])


def _outcome(item: _Marks, cursors: dict[Pair, _Cursors], mine: dict[Pair, MyMembership]) -> _Outcome:
    asked = dict.fromkeys(mark.conversation for mark in item.marks)
    known = [id for id in asked if (id, item.user) in cursors]
    answer = MarkedReceipts(
        tuple(Marked(id, mine[id, item.user]) for id in known),
        tuple(id for id in asked if (id, item.user) not in cursors),
    )
    stand = ((id, cursors[id, item.user]) for id in known)
    return _Outcome(answer, tuple((id, each.read, each.delivered) for id, each in stand if each.moved))


def _written(
    chat: Chat,
    user: str,
    answer: asyncio.Future[MarkedReceipts],
    written: asyncio.Future[_Outcome],
) -> None:
    """Marks are on disk: tell the others, and who has asked."""
    if written.cancelled():
        answer.cancel()
    elif (error := written.exception()) is not None:
        if not answer.done():
            answer.set_exception(error)
    else:
        outcome = written.result()
        for conversation, have_read, have_got in outcome.moved:
            chat.receipts_moved(conversation, user, have_read, have_got)
        if not answer.done():
            answer.set_result(outcome.answer)
