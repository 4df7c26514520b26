"""A card with buttons: somebody of the team asks whether a ticket is solved, the customer presses a button, and the
program closes the ticket or tells the team."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from hubbub import ErrorCode, Hubbub, HubbubError, Session
from hubbub.chat.cards import Answer, Press

BUTTONS = (
    {"type": "button", "id": "yes", "label": "Yes, close the ticket", "style": "primary"},
    {"type": "button", "id": "no", "label": "Not yet"},
)


class Ask(Struct):
    """Which ticket."""

    conversation: str


def add_to(app: Hubbub, team: dict[str, str]) -> None:
    """What clients call and what cards do."""
    chat = app.chat

    @app.on("support.solved")
    async def ask(session: Session, params: Ask) -> None:
        """Have the customer asked. It is said by the server, so its buttons are answered below."""
        found: Any = await chat.call(
            "conversations.get", as_user=session.user, conversation=params.conversation
        )
        if session.user not in team:
            raise HubbubError(ErrorCode.PERMISSION_DENIED, "The team asks whether a ticket is solved.")
        name = team[session.user]
        card = {"type": "card", "title": "Is it solved?", "text": f"{name} thinks so.", "actions": BUTTONS}
        await chat.call("messages.send", conversation=found.conversation.id, parts=[card])

    @app.on_press
    async def answer(press: Press) -> Answer | None:
        """`parts` are shown to who has pressed alone; `update` is what the card is from now on, for everybody. It
        may be asked twice for one press."""
        found: Any = await chat.call("conversations.get", conversation=press.conversation)
        ticket = found.conversation
        if press.user != msgspec.json.decode(ticket.custom)["customer"]:
            return Answer(parts=({"type": "text", "text": "This is for the customer to say."},))
        if press.action == "no":
            said = {"type": "card", "title": "Not solved yet", "text": "The team goes on with it."}
            return Answer(parts=({"type": "text", "text": "Tell us what is missing."},), update=(said,))
        if not ticket.closed:  # nothing is changed in a closed one: the card comes first
            said = {"type": "card", "title": "Solved", "text": "The customer has closed the ticket."}
            await chat.call("messages.edit", conversation=ticket.id, message=press.message, parts=[said])
            await chat.call("conversations.update", conversation=ticket.id, closed=True)
        return None
