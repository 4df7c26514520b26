"""Pressing the buttons of cards, and what their programs answer.

The program of a card is that of its sender: a user (an agent, a service), who hears of a press in its inbox, or the
server's own (`@app.on_press`), which the agenda asks, so that a press is not lost when a node dies. The press is kept
for `ANSWERABLE` seconds, for whom it may be answered by.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Raw, Struct

from hubbub.chat import agenda, parts
from hubbub.chat.editing import EditMessage, edit
from hubbub.chat.events import CardAnswered, CardPressed
from hubbub.chat.kinds.card import card_in, only_links, pressed
from hubbub.chat.kinds.checklist import checklist_in
from hubbub.chat.ledger import Actor, Ledger
from hubbub.chat.messages import find, writable
from hubbub.chat.model import ConversationId, Seq
from hubbub.chat.operations import Nothing, write
from hubbub.chat.rows import ConversationRow
from hubbub.chat.sending import Parts
from hubbub.chat.users import myself
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub import eager
from hubbub.storage.tables import invocations

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

KIND = "press"
ASK = "card.press"
"""As the agenda calls it."""
ANSWERABLE = 1_800.0
"""Seconds in which a press may be answered."""
ANSWERS = 5
"""Answers to one press."""

ActionId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}$", examples=["approve"])]


class PressCard(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A button that is pressed, or the `value` that was chosen in a select or written in an input."""

    conversation: ConversationId
    message: Seq
    action: ActionId
    value: Annotated[str, Meta(examples=["tuesday"])] | None = None


class Pressed(Struct, frozen=True):
    """What the press is named by when it is answered."""

    invocation: str


class AnswerPress(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`parts` are shown to who has pressed, and to nobody else; `update` is what the card's message says from now
    on."""

    invocation: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[0-9a-f]+$")]
    parts: Parts | None = None
    update: Parts | None = None


class Press(Struct, frozen=True, omit_defaults=True):
    """A press of a card that the server has sent, for its own program."""

    invocation: str
    conversation: str
    message: int
    user: str
    action: str
    value: str | None = None


class Answer(Struct, frozen=True):
    """What the server's own program answers: see `AnswerPress`. Parts are JSON objects, as `messages.send` takes
    them."""

    parts: tuple[Any, ...] | None = None
    update: tuple[Any, ...] | None = None


OnPress = Callable[[Press], Awaitable[Answer | None]]


class _Said(Struct, frozen=True, omit_defaults=True):
    action: str
    value: str | None = None


class _Invocation(Struct, frozen=True):
    """A row of `invocations`, of a press."""

    id: str
    conversation: str
    message: int
    user: str
    owner: str | None
    data: str
    created: float
    answers: int

    @property
    def press(self) -> Press:
        said = _said(self.data)
        return Press(self.id, self.conversation, self.message, self.user, said.action, said.value)


_said = msgspec.json.Decoder(_Said).decode
_PRESS = tuple(invocations.c[name] for name in _Invocation.__struct_fields__)


# --- pressing -----------------------------------------------------------------------------------------------------


@write("cards.press", "POST", "/conversations/{conversation}/messages/{message}/card/press", status=202)
def press(ledger: Ledger, actor: Actor, params: PressCard) -> Pressed:
    """Press a button of a card, or give what was chosen or written there.

    It takes the permission to react. Whoever has sent the card hears of it by `card.pressed`, and may answer by
    `card.answered` or by changing the card. Raises NOT_FOUND (of an action, too), PERMISSION_DENIED,
    CONVERSATION_CLOSED, MESSAGE_DELETED, CONFLICT if who has sent it is there no more, VALIDATION_FAILED for a value
    that the card does not offer, and MESSAGE_TOO_LARGE (`limits.text_length`).
    """
    user = myself(actor)
    row, member = ledger.access(actor, params.conversation, "react", lock=True)
    writable(ledger, actor, row)
    _, message = find(ledger, actor, row, member, params.message)
    if message.deleted is not None:
        raise HubbubError(ErrorCode.MESSAGE_DELETED, field="message")
    card = card_in(message.parts)
    if card is None:
        raise HubbubError(ErrorCode.NOT_FOUND, "message: it has no card", field="message")
    action = next((each for each in card.actions if each.id == params.action), None)
    if action is None:
        raise HubbubError(ErrorCode.NOT_FOUND, "action: there is no such action", field="action")
    value = pressed(action, params.value, "value", ledger.config.limits)
    if message.sender is not None:
        _reachable(ledger, row, message.sender, user)
    _sweep(ledger)
    id = secrets.token_hex(12)
    ledger.execute(
        invocations.insert(),
        {
            "id": id,
            "kind": KIND,
            "conversation": row.id,
            "message": message.seq,
            "user": user,
            "owner": message.sender,
            "data": msgspec.json.encode(_Said(action.id, value)).decode(),
            "created": ledger.now,
            "answers": 0,
        },
    )
    if message.sender is None:
        ledger.schedule(ASK, ledger.now, conversation=row.id, message=message.seq, data=id)
    else:
        ledger.tell(
            message.sender,
            CardPressed,
            invocation=id,
            conversation=row.id,
            message=message.seq,
            user=user,
            action=action.id,
            value=value,
        )
    return Pressed(id)


def _reachable(ledger: Ledger, row: ConversationRow, owner: str, user: str) -> None:
    member = ledger.member(row.id, owner)
    if member is None or not member.joined:
        raise HubbubError(ErrorCode.CONFLICT, "who has sent the card is there no more", field="message")
    if owner != user and ledger.blocked(owner, user):
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, "permission denied: you cannot write to this user", field="message"
        )


def _sweep(ledger: Ledger) -> None:
    """Presses that nobody can answer any more."""
    ledger.execute(
        invocations.delete().where(
            invocations.c.created < ledger.now - ANSWERABLE, invocations.c.kind == KIND
        )
    )


# --- answering ----------------------------------------------------------------------------------------------------


@write("cards.answer", "POST", "/presses/{invocation}/answers")
def answer(ledger: Ledger, actor: Actor, params: AnswerPress) -> Nothing:
    """Answer a press: to who has pressed alone, or by changing the card.

    It is for who has sent the card, up to 5 times within half an hour. Raises NOT_FOUND for a press that is not, or no
    more, to be answered by who asks, LIMIT_EXCEEDED, and what `messages.edit` and `messages.send` raise.
    """
    if params.parts is None and params.update is None:
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "give parts or update", field="parts")
    found = _invocation(ledger, params.invocation)
    if found is None or (actor.user or None) != found.owner or found.created < ledger.now - ANSWERABLE:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such press", field="invocation")
    row = ledger.find(found.conversation, lock=True)
    assert row is not None
    _answer(ledger, row, actor, found, params)
    return Nothing()


def _answer(
    ledger: Ledger, row: ConversationRow, actor: Actor, found: _Invocation, params: AnswerPress
) -> None:
    """`row` is locked, so that the answers are counted one after the other."""
    query = sa.select(invocations.c.answers).where(invocations.c.id == found.id)
    answers = ledger.execute(query).scalar()
    if answers is None:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such press", field="invocation")
    if answers >= ANSWERS:
        raise HubbubError(
            ErrorCode.LIMIT_EXCEEDED, f"invocation: it was answered {ANSWERS} times", field="invocation"
        )
    ledger.execute(invocations.update().where(invocations.c.id == found.id).values(answers=answers + 1))
    if params.update is not None:
        changed = EditMessage(found.conversation, found.message, params.update)
        edit.function(ledger, actor, changed)
    if params.parts is not None:
        _tell(ledger, row, actor, found, params.parts)


def _tell(
    ledger: Ledger, row: ConversationRow, actor: Actor, found: _Invocation, said: tuple[Raw, ...]
) -> None:
    checked = parts.check(said, ledger.config.limits)
    card, checklist = card_in(checked.parts), checklist_in(checked.parts)
    if checked.needs or checked.files or checklist is not None or (card is not None and not only_links(card)):
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED,
            "parts: only messages have files, polls, ticks and buttons",
            field="parts",
        )
    presser = ledger.member(row.id, found.user)
    if presser is None or not presser.joined:
        raise HubbubError(ErrorCode.CONFLICT, "who has pressed is there no more", field="invocation")
    if actor.user:
        ledger.access(actor, row.id, "read")
        writable(ledger, actor, row)
        _reachable(ledger, row, actor.user, found.user)
    ledger.tell(
        found.user,
        CardAnswered,
        invocation=found.id,
        conversation=row.id,
        message=found.message,
        parts=checked.parts,
    )


def _invocation(ledger: Ledger, id: str) -> _Invocation | None:
    query = sa.select(*_PRESS).where(invocations.c.id == id, invocations.c.kind == KIND)
    row = ledger.execute(query).first()
    return None if row is None else _Invocation(*row)


# --- the server's own program -------------------------------------------------------------------------------------


async def _ask(chat: Chat, item: agenda.Item) -> AnswerPress | None:
    """Ask the program of this node. It may be asked again if the node dies before its answer is kept."""
    if chat.on_press is None:
        return None
    id = item.read(str)
    query = sa.select(*_PRESS).where(invocations.c.id == id, invocations.c.kind == KIND)
    row = await chat.read(lambda view: view.execute(query).first())
    if row is None:
        return None
    within = chat.config.limits.call_timeout
    try:
        given = await eager.in_task(chat.on_press, _Invocation(*row).press, within=within)
    except TimeoutError:
        raise HubbubError(ErrorCode.TIMEOUT) from None
    if given is None:
        return None
    return AnswerPress(id, _encoded(given.parts), _encoded(given.update))


def _encoded(given: tuple[Any, ...] | None) -> tuple[Raw, ...] | None:
    return None if given is None else tuple(Raw(msgspec.json.encode(part)) for part in given)


def _answered(ledger: Ledger, item: agenda.Item, given: AnswerPress | None) -> None:
    found = _invocation(ledger, item.read(str))
    if given is None or found is None:
        return
    row = ledger.find(found.conversation, lock=True)
    if row is not None:
        _answer(ledger, row, Actor(), found, given)


OPERATIONS = (press, answer)
HANDLERS = (agenda.Handler(ASK, _answered, cast("Any", _ask), lease=ANSWERABLE / 30, patience=ANSWERABLE),)
