"""Pinned messages: those that a conversation keeps in sight. The message says that it is pinned, by whom and when."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace

from hubbub.chat import limits
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.messages import find, floor_of, in_shadow, not_hidden, permit, writable
from hubbub.chat.model import Annotations, ConversationId, Message, Pin, Seq
from hubbub.chat.operations import Nothing, read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.restraint import shadowed
from hubbub.chat.rows import MESSAGE, ConversationRow, message_of
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import messages, pins


class ByPin(Struct, frozen=True, forbid_unknown_fields=True):
    """One message of a conversation."""

    conversation: ConversationId
    message: Seq


class ListPins(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of what is pinned in a conversation."""

    conversation: ConversationId
    limit: PageLimit | None = None
    cursor: After | None = None


class PinPage(Struct, frozen=True, omit_defaults=True):
    """Messages, the last pinned first; `annotations.pin` of each says when that was. `next` is absent on the last
    page."""

    messages: tuple[Message, ...]
    next: str | None = None


@write("pins.add", "PUT", "/conversations/{conversation}/pins/{message}")
def add(ledger: Ledger, actor: Actor, params: ByPin) -> Pin:
    """Pin a message.

    To pin twice is to pin once. Raises NOT_FOUND, PERMISSION_DENIED, CONVERSATION_CLOSED, RESTRICTED, MESSAGE_DELETED
    and LIMIT_EXCEEDED (`limits.pins`).
    """
    row, message = _message(ledger, actor, params)
    if message.deleted is not None:
        raise HubbubError(ErrorCode.MESSAGE_DELETED, field="message")
    standing = message.annotations or Annotations()
    if standing.pin is not None:
        return standing.pin
    count = sa.select(sa.func.count()).where(pins.c.conversation == row.id)
    limits.check(ledger.config.limits, "pins", ledger.execute(count).scalar_one() + 1, "message")
    pin = Pin(ledger.now, actor.user or None)
    if _in_vain(ledger, actor, row, message):
        return pin
    ledger.execute(
        pins.insert(), {"conversation": row.id, "message": message.seq, "by": pin.by, "time": pin.time}
    )
    ledger.annotate(row, message.seq, "pin", actor, replace(standing, pin=pin))
    return pin


@write("pins.remove", "DELETE", "/conversations/{conversation}/pins/{message}")
def remove(ledger: Ledger, actor: Actor, params: ByPin) -> Nothing:
    """Unpin a message. It is no error if it is not pinned.

    Raises NOT_FOUND, PERMISSION_DENIED, CONVERSATION_CLOSED and RESTRICTED.
    """
    row, message = _message(ledger, actor, params)
    standing = message.annotations or Annotations()
    if standing.pin is not None and not _in_vain(ledger, actor, row, message):
        forget(ledger, message)
        ledger.annotate(row, message.seq, "pin", actor, replace(standing, pin=None))
    return Nothing()


@read("pins.list", "GET", "/conversations/{conversation}/pins")
def page(view: View, actor: Actor, params: ListPins) -> PinPage:
    """What is pinned in a conversation, the last pinned first.

    Raises NOT_FOUND, PERMISSION_DENIED, VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.page`).
    """
    size = page_size(view.config, params.limit)
    row, member = view.access(actor, params.conversation, "read")
    place = (pins.c.time, pins.c.message)
    query = (
        sa.select(*place, *MESSAGE)
        .join(
            messages,
            sa.and_(messages.c.conversation == pins.c.conversation, messages.c.seq == pins.c.message),
        )
        .where(
            pins.c.conversation == row.id, pins.c.message > floor_of(actor, row, member), not_hidden(actor)
        )
    )
    if params.cursor is not None:
        query = query.where(sa.tuple_(*place) < sa.tuple_(*read_cursor(params.cursor, tuple[float, Seq])))
    rows = view.execute(query.order_by(*(each.desc() for each in place)).limit(size + 1)).all()
    found = tuple(message_of(row[2:]) for row in rows[:size])
    return PinPage(found, cursor(*rows[size - 1][:2]) if len(rows) > size else None)


def forget(ledger: Ledger, message: Message) -> None:
    """The message is pinned no more; its annotations are for the caller to change."""
    if message.annotations is not None and message.annotations.pin is not None:
        where = (pins.c.conversation == message.conversation, pins.c.message == message.seq)
        ledger.execute(pins.delete().where(*where))


def _message(ledger: Ledger, actor: Actor, params: ByPin) -> tuple[ConversationRow, Message]:
    row, member = ledger.access(actor, params.conversation, "read", lock=True)
    _, message = find(ledger, actor, row, member, params.message)
    permit(actor, row, member, "pin", "conversation")
    writable(ledger, actor, row)
    return row, message


def _in_vain(ledger: Ledger, actor: Actor, row: ConversationRow, message: Message) -> bool:
    """Whether it only looks done to the actor: nobody else is to learn of what it does, or of the message."""
    return in_shadow(message) or (bool(actor.user) and shadowed(ledger.restraints(actor.user), row.id))


OPERATIONS = (add, remove, page)
