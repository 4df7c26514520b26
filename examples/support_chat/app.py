"""A support desk: customers open tickets, the team answers them and moderates. In the folder above this one:
`hubbub serve support_chat.app:app --dev --config support_chat/hubbub.toml`, and a web server for the page: `python -m
http.server 9000 --bind 127.0.0.1 --directory support_chat/page`. Then http://127.0.0.1:9000/."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct

from hubbub import ErrorCode, Hubbub, HubbubError, Principal, Session

from .solved import add_to

TEAM = {"sam": "Sam Okafor", "mia": "Mia Lindqvist"}
PEOPLE = TEAM | {"carla": "Carla Reyes", "tom": "Tom Weber"}  # yours would ask a database


class Ticket(Struct):
    """What a customer wants. `id` is the page's own: a ticket that is sent twice is opened once."""

    id: Annotated[str, Meta(min_length=1, max_length=40)]
    subject: Annotated[str, Meta(min_length=1, max_length=100)]
    text: Annotated[str, Meta(min_length=1, max_length=4000)]


class Opened(Struct):
    conversation: str


class Names:
    """Whoever says a name is let in under it. Without this Policy the token would have to be a JWT."""

    async def authenticate(self, token: str | None, info: object) -> Principal:
        if not re.fullmatch("[a-z]{1,24}", token or ""):
            raise HubbubError(ErrorCode.UNAUTHENTICATED, "A name has 1 to 24 small letters.")
        return Principal(str(token))

    async def authorize(
        self, principal: Principal, operation: object, channel: str, token: str | None = None
    ) -> None:
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "There are conversations here, and nothing else.")


app = Hubbub(policy=Names())
chat = app.chat
add_to(app, TEAM)


async def introduce(user: str) -> None:
    """Make a user known, or keep its profile in step. The page goes by `custom`, reviewing by the office."""
    name, office = PEOPLE.get(user, user.title()), "moderator" if user in TEAM else "none"
    await chat.call("users.upsert", user=user, name=name, custom={"team": user in TEAM}, office=office)


@app.on_connect
async def welcome(session: Session) -> None:
    await introduce(session.user)


@app.on("support.open")
async def support_open(session: Session, ticket: Ticket) -> Opened:
    """A conversation with the team, in which only the team can invite and close, and the customer's first message."""
    if session.user in TEAM:
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "Tickets are opened by customers.")
    for agent in TEAM:
        await introduce(agent)
    made = await chat.call(
        "conversations.create",
        key=f"{session.user}:{ticket.id}",
        kind="group",
        name=ticket.subject,
        custom={"customer": session.user},
        permissions={"invite": "admin"},
        members=[{"user": session.user}, *({"user": agent, "role": "admin"} for agent in TEAM)],
    )
    id, parts = made.conversation.id, [{"type": "text", "text": ticket.text}]
    await chat.call("messages.send", as_user=session.user, key=ticket.id, conversation=id, parts=parts)
    return Opened(id)
