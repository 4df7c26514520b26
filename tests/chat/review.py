"""Reporting, holding and deciding in a `World`."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace
from tests.chat.talk import text
from tests.chat.world import World

from hubbub.chat.cases import Case
from hubbub.chat.sending import SEND, SendMessage, outgoing_of
from hubbub.moderation.base import Finding, Findings
from hubbub.storage.tables import audit

PRIEST = "mo"
"""A moderator by office."""
CHIEF = "chief"
"""An admin by office."""


async def staff(chat: World) -> None:
    await chat.user(PRIEST, office="moderator")
    await chat.user(CHIEF, office="admin")


async def restrict(chat: World, by: str, user: str, kind: str, **params: Any) -> Any:
    return await chat.do("restrictions.set", by, user=user, kind=kind, **params)


async def report(chat: World, by: str, **params: Any) -> str:
    """Report something as spam; the case's id."""
    params.setdefault("reason", "spam")
    case: str = (await chat.do("reports.create", by, **params)).case
    return case


async def case_of(chat: World, id: str) -> Case:
    found: Case = (await chat.do("cases.get", "", case=id)).case
    return found


async def hold(
    chat: World, conversation: str, user: str, words: str, *, key: str | None = None, **params: Any
) -> str:
    """Send something that a rule holds; the hold's id."""
    raw = msgspec.json.encode({"conversation": conversation, "parts": text(words), **params})
    outgoing = outgoing_of(chat.chat, user, msgspec.json.decode(raw, type=SendMessage), key)
    findings = Findings("send", (Finding("rude", "hold", "It may be rude.", 3),))
    chat.clock.advance(1 / 1024)
    sent = await chat.store.write(SEND, replace(outgoing, findings=findings))
    assert sent.held is not None
    return sent.held


async def audited(chat: World) -> list[tuple[str, str | None, str | None]]:
    """Acts, actors and users, the oldest first."""
    query = sa.select(audit.c.act, audit.c.actor, audit.c.user).order_by(audit.c.id)
    return await chat.read(lambda view: [(act, by, user) for act, by, user in view.execute(query)])
