"""What users ask of programs (a button is pressed, a command is given), and what the programs answer to who has asked.

A program is a user (an agent, a service), who hears of it in its inbox, or the server's own, which the agenda asks, so
that nothing is lost when a node dies. What was asked is kept for `ANSWERABLE` seconds, for whom it may be answered by.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Raw, Struct

from hubbub.chat import parts
from hubbub.chat.agenda import Item
from hubbub.chat.kinds.card import card_in, only_links
from hubbub.chat.kinds.checklist import checklist_in
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.messages import writable
from hubbub.chat.restraint import shadowed
from hubbub.chat.rows import ConversationRow
from hubbub.config import Config
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub import eager
from hubbub.storage.tables import invocations

P = TypeVar("P")
R = TypeVar("R")
ANSWERABLE = 1_800.0
"""Seconds in which an answer may come."""
ANSWERS = 5
"""Answers to one invocation."""

Kind = Literal["press", "command"]
InvocationId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[0-9A-Za-z]+$(?!\n)",
        description="Id of the press or command.",
        examples=["1f0c9a2b77de40d1a6b5c3e2"],
    ),
]


class Invocation(Struct, frozen=True):
    """A row of `invocations`. `message` is the card's, of a press; `owner` is who is to answer (None: the server's own
    program)."""

    id: str
    kind: Kind
    conversation: str
    message: int | None
    user: str
    owner: str | None
    data: str
    created: float
    answers: int


COLUMNS = tuple(invocations.c[name] for name in Invocation.__struct_fields__)


def ask(
    ledger: Ledger,
    kind: Kind,
    row: ConversationRow,
    user: str,
    owner: str | None,
    said: Any,
    message: int | None = None,
) -> str:
    """Keep what was asked; its id. Those that nobody can answer any more are gone."""
    ledger.execute(
        invocations.delete().where(
            invocations.c.created < ledger.now - ANSWERABLE, invocations.c.kind == kind
        )
    )
    id = secrets.token_hex(12)
    data = msgspec.json.encode(said).decode()
    found = Invocation(id, kind, row.id, message, user, owner, data, ledger.now, 0)
    ledger.execute(invocations.insert(), msgspec.structs.asdict(found))
    return id


def unheard(ledger: Ledger, row: ConversationRow, user: str, owner: str | None) -> str | None:
    """For who is shadow-banned there: what names something that looks asked, and that no program hears of. (One's own
    program is no other.)"""
    if owner == user or not shadowed(ledger.restraints(user), row.id):
        return None
    return secrets.token_hex(12)


def reachable(ledger: Ledger, row: ConversationRow, owner: str, user: str, what: str, field: str) -> None:
    """Raises CONFLICT if the program is not in the conversation (any more), and PERMISSION_DENIED if it and the user
    want nothing of each other."""
    member = ledger.member(row.id, owner)
    if member is None or not member.joined:
        raise HubbubError(ErrorCode.CONFLICT, f"{what} is there no more", field=field)
    unblocked(ledger, owner, user, field)


def unblocked(ledger: Ledger, owner: str, user: str, field: str) -> None:
    if owner != user and ledger.blocked(owner, user):
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, "permission denied: you cannot write to this user", field=field
        )


def find(view: View, kind: Kind, id: str) -> Invocation | None:
    row = view.execute(sa.select(*COLUMNS).where(invocations.c.id == id, invocations.c.kind == kind)).first()
    return None if row is None else Invocation(*row)


def answerable(ledger: Ledger, actor: Actor, kind: Kind, id: str) -> tuple[ConversationRow, Invocation]:
    """What `actor` is to answer, and its conversation, locked. Raises NOT_FOUND."""
    found = find(ledger, kind, id)
    if found is None or (actor.user or None) != found.owner or found.created < ledger.now - ANSWERABLE:
        raise _missing(kind)
    row = ledger.find(found.conversation, lock=True)
    assert row is not None
    return row, found


def count(ledger: Ledger, found: Invocation) -> None:
    """One answer more. The conversation is locked, so that they are counted one after the other. Raises NOT_FOUND and
    LIMIT_EXCEEDED."""
    of_it = invocations.c.id == found.id
    answers = ledger.execute(sa.select(invocations.c.answers).where(of_it)).scalar()
    if answers is None:
        raise _missing(found.kind)
    if answers >= ANSWERS:
        raise HubbubError(
            ErrorCode.LIMIT_EXCEEDED, f"invocation: it was answered {ANSWERS} times", field="invocation"
        )
    ledger.execute(invocations.update().where(of_it).values(answers=answers + 1))


def sayable(
    ledger: Ledger, row: ConversationRow, found: Invocation, said: tuple[Raw, ...]
) -> tuple[Raw, ...]:
    """Parts that are shown to who has asked alone. Raises VALIDATION_FAILED for those of which something is kept, which
    only messages have, and CONFLICT if who has asked has left."""
    checked = parts.check(said, ledger.config.limits)
    card, checklist = card_in(checked.parts), checklist_in(checked.parts)
    if checked.needs or checked.files or checklist is not None or (card is not None and not only_links(card)):
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED,
            "parts: only messages have files, polls, ticks and buttons",
            field="parts",
        )
    asker = ledger.member(row.id, found.user)
    if asker is None or not asker.joined:
        raise HubbubError(ErrorCode.CONFLICT, "who has asked is there no more", field="invocation")
    return checked.parts


def may_answer(ledger: Ledger, actor: Actor, row: ConversationRow, found: Invocation) -> None:
    """Raises what keeps a program from speaking to who has asked, in a conversation of both."""
    if actor.user:
        ledger.access(actor, row.id, "read")
        writable(ledger, actor, row)
        reachable(ledger, row, actor.user, found.user, "who is asked", "invocation")


def encoded(given: Iterable[Any]) -> tuple[Raw, ...]:
    """The parts that the server's own program gives."""
    return tuple(Raw(msgspec.json.encode(part)) for part in given)


async def asked(program: Callable[[P], Awaitable[R]], about: P, config: Config) -> R:
    """What the server's own program says. Raises TIMEOUT, and what it raises."""
    try:
        return await eager.in_task(program, about, within=config.limits.call_timeout)
    except TimeoutError:
        raise HubbubError(ErrorCode.TIMEOUT) from None


def row_of(item: Item, view: View, kind: Kind) -> Invocation | None:
    """What an item of the agenda is about."""
    return find(view, kind, item.read(str))


def _missing(kind: Kind) -> HubbubError:
    what = "there is no such press" if kind == "press" else "no such command was given"
    return HubbubError(ErrorCode.NOT_FOUND, what, field="invocation")
