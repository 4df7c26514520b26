"""System messages: changes of membership as they stand in the timeline. They have a `seq` and no number, so nobody has
unread ones."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from hubbub.chat import rules
from hubbub.chat.events import MessageCreated
from hubbub.chat.ledger import Actor, Ledger
from hubbub.chat.model import Message, Role
from hubbub.chat.rows import ConversationRow
from hubbub.storage.tables import messages

Announced = Literal["member.joined", "member.left", "member.removed", "member.invited", "member.role"]


class SystemPart(Struct, frozen=True, tag="system", tag_field="type", omit_defaults=True):
    """The one part of a system message: what has happened to `users`, by whom (absent for the server)."""

    event: Announced
    users: tuple[str, ...]
    actor: str | None = None
    role: Role | None = None


def announce(
    ledger: Ledger,
    row: ConversationRow,
    actor: Actor,
    what: Announced,
    users: tuple[str, ...],
    *,
    role: Role | None = None,
) -> None:
    """Write a system message, if the conversation is of a kind in which membership is news. `row` is locked."""
    if row.kind not in rules.ANNOUNCED or not users:
        return
    part = Raw(msgspec.json.encode(SystemPart(what, users, actor.user or None, role)))

    def message(seq: int) -> Message:
        return Message(row.id, seq, None, ledger.now, (part,), "system")

    event = ledger.append(row, MessageCreated, actor, about=row.head + 1, message=message)
    ledger.execute(
        messages.insert(),
        {
            "conversation": row.id,
            "seq": event.seq,
            "kind": "system",
            "parts": msgspec.json.encode(event.message.parts).decode(),
            "created": ledger.now,
            "version": 1,
            "replies": 0,
        },
    )
