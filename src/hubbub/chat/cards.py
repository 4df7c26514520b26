"""Pressing the buttons of cards, and what their programs answer.

The program of a card is that of its sender: a user, or the server's own (`@app.on_press`). See `chat/invocations.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from hubbub.chat import agenda
from hubbub.chat.editing import EditMessage, edit
from hubbub.chat.events import CardAnswered, CardPressed
from hubbub.chat.invocations import (
    ANSWERABLE,
    Invocation,
    InvocationId,
    Kind,
    answerable,
    ask,
    asked,
    count,
    encoded,
    may_answer,
    reachable,
    row_of,
    sayable,
    unheard,
)
from hubbub.chat.kinds.card import card_in, pressed
from hubbub.chat.ledger import Actor, Ledger
from hubbub.chat.messages import find, writable
from hubbub.chat.model import ConversationId, Seq
from hubbub.chat.operations import Nothing, write
from hubbub.chat.rows import ConversationRow
from hubbub.chat.sending import Parts
from hubbub.chat.users import myself
from hubbub.errors import ErrorCode, HubbubError

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

KIND: Kind = "press"
ASK = "card.press"
"""As the agenda calls it."""

ActionId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}$(?!\n)", examples=["approve"])]


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

    invocation: InvocationId
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


_said = msgspec.json.Decoder(_Said).decode


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
        reachable(ledger, row, message.sender, user, "who has sent the card", "message")
    if (nobody := unheard(ledger, row, user, message.sender)) is not None:
        return Pressed(nobody)
    id = ask(ledger, KIND, row, user, message.sender, _Said(action.id, value), message.seq)
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


# --- answering ----------------------------------------------------------------------------------------------------


@write("cards.answer", "POST", "/presses/{invocation}/answers")
def answer(ledger: Ledger, actor: Actor, params: AnswerPress) -> Nothing:
    """Answer a press: to who has pressed alone, or by changing the card.

    It is for who has sent the card, up to 5 times within half an hour. Raises NOT_FOUND for a press that is not, or no
    more, to be answered by who asks, LIMIT_EXCEEDED, and what `messages.edit` and `messages.send` raise.
    """
    if params.parts is None and params.update is None:
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "give parts or update", field="parts")
    row, found = answerable(ledger, actor, KIND, params.invocation)
    _answer(ledger, row, actor, found, params)
    return Nothing()


def _answer(
    ledger: Ledger, row: ConversationRow, actor: Actor, found: Invocation, params: AnswerPress
) -> None:
    """`row` is locked."""
    count(ledger, found)
    assert found.message is not None
    if params.update is not None:
        edit.function(ledger, actor, EditMessage(found.conversation, found.message, params.update))
    if params.parts is not None:
        said = sayable(ledger, row, found, params.parts)
        may_answer(ledger, actor, row, found)
        ledger.tell(
            found.user,
            CardAnswered,
            invocation=found.id,
            conversation=row.id,
            message=found.message,
            parts=said,
        )


# --- the server's own program -------------------------------------------------------------------------------------


async def _ask(chat: Chat, item: agenda.Item) -> AnswerPress | None:
    """Ask the program of this node. It may be asked again if the node dies before its answer is kept."""
    if chat.on_press is None:
        return None
    found = await chat.read(lambda view: row_of(item, view, KIND))
    if found is None:
        return None
    given = await asked(chat.on_press, _press(found), chat.config)
    if given is None:
        return None
    shown, changed = (None if each is None else encoded(each) for each in (given.parts, given.update))
    return AnswerPress(found.id, shown, changed)


def _press(found: Invocation) -> Press:
    said = _said(found.data)
    assert found.message is not None
    return Press(found.id, found.conversation, found.message, found.user, said.action, said.value)


def _answered(ledger: Ledger, item: agenda.Item, given: AnswerPress | None) -> None:
    found = row_of(item, ledger, KIND)
    if given is None or found is None:
        return
    row = ledger.find(found.conversation, lock=True)
    if row is not None:
        _answer(ledger, row, Actor(), found, given)


OPERATIONS = (press, answer)
HANDLERS = (agenda.Handler(ASK, _answered, cast("Any", _ask), lease=ANSWERABLE / 30, patience=ANSWERABLE),)
