"""What keeps users from writing: mutes, bans and shadow bans that are in force. How they come about is in
`chat/restrictions.py`; here is what they do.

Who is muted does not write: no messages, edits, reactions, typing, nor anything else that others see. Who is banned
from a conversation is out of it, too, and cannot come back; who is banned everywhere only reads, and does what concerns
nobody else (`OPEN`). Of a shadow ban its user sees nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from hubbub.chat.lookup import lookup
from hubbub.chat.model import RestrictionKind
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Transaction
from hubbub.storage.tables import restrictions

EVERYWHERE = ""
"""In the place of a conversation."""
OPEN = (
    "blocks.",
    "bookmarks.",
    "cases.appeal",
    "conversations.settings",
    "drafts.",
    "files.delete",
    "holds.withdraw",
    "members.leave",
    "messages.delete",
    "receipts.",
    "reminders.",
    "rights.",
    "scheduled.cancel",
    "threads.",
)
"""What who is banned everywhere may still do, by what the names of operations begin with."""
DONE = {"mute": "muted", "ban": "banned"}


class Restraint(Struct, frozen=True):
    """A restriction that is in force. `conversation` is "" for one that holds everywhere."""

    kind: RestrictionKind
    conversation: str
    until: float | None


def refuse(
    found: Sequence[Restraint],
    conversation: str,
    kinds: tuple[RestrictionKind, ...] = ("mute", "ban"),
    field: str | None = "conversation",
) -> None:
    """Raises RESTRICTED, saying until when, if one of `kinds` is among those of an actor and holds in
    `conversation`."""
    for each in found:
        if each.kind in kinds and each.conversation in (EVERYWHERE, conversation):
            where = "in this conversation" if each.conversation else "everywhere"
            raise HubbubError(
                ErrorCode.RESTRICTED, f"you are {DONE[each.kind]} {where}{_until(each.until)}", field=field
            )


def shadowed(found: Sequence[Restraint], conversation: str) -> bool:
    """Whether nobody else is to see what the user does there."""
    return any(each.kind == "shadow" and each.conversation in (EVERYWHERE, conversation) for each in found)


def of_many(
    tx: Transaction, users: Collection[tuple[str, str]]
) -> dict[tuple[str, str], tuple[Restraint, ...]]:
    """What holds for users in conversations; those who are free are left out."""
    if not users or (tx.dialect == "sqlite" and not tx.connection.exec_driver_sql(_ANY).scalar_one()):
        return {}
    wanted = {*users, *((user, EVERYWHERE) for user, _ in users)}
    columns = ("user", "conversation", "kind", "until")
    held: dict[tuple[str, str], tuple[Restraint, ...]] = {}
    for user, conversation, kind, until in lookup(tx, restrictions, columns, columns[:2], list(wanted)):
        if until is None or until > tx.now:
            held[user, conversation] = (
                *held.get((user, conversation), ()),
                Restraint(kind, conversation, until),
            )
    if not held:
        return {}
    both = {key: (*held.get(key, ()), *held.get((key[0], EVERYWHERE), ())) for key in users}
    return {key: found for key, found in both.items() if found}


_ANY = "SELECT EXISTS (SELECT 1 FROM restrictions)"
"""Mostly there are none; on SQLite this is all that it takes then."""


def _until(time: float | None) -> str:
    if time is None:
        return ""
    try:
        return f" until {datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):  # later than calendars go
        return ""
