"""What all users of the server share: custom emoji and groups of users. Sessions follow it on one channel."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from msgspec import Raw

from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.program_events import EmojiChanged, GroupChanged
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, Publication
from hubbub.storage import bulk
from hubbub.storage.base import Logged
from hubbub.storage.tables import meta

CATALOGUE = "catalogue"
"""The namespace of the channel, and in the place of a channel of what was logged."""
CHANNEL = f"{CATALOGUE}:all"


def changed(ledger: Ledger, event: EmojiChanged | GroupChanged) -> None:
    """Have it told after the commit."""
    value = str(ledger.tx.stamp)
    if not bulk.insert(ledger.tx, meta, ("name", "value"), [(CATALOGUE, value)], ignore=True):
        ledger.execute(meta.update().where(meta.c.name == CATALOGUE).values(value=value))
    tag = str(type(event).__struct_config__.tag)
    ledger.tx.outbox.append(Logged(CATALOGUE, 0, tag, msgspec.json.encode(event), None, ledger.now))


def changed_since(view: View, since: int) -> bool:
    """Whether anything of it has changed in what a sync token from `since` does not know."""
    stamp = view.execute(sa.select(meta.c.value).where(meta.c.name == CATALOGUE)).scalar()
    return stamp is not None and int(stamp) >= since


def told(logged: Logged) -> Envelope:
    """To those who follow."""
    return Envelope(Publication(CHANNEL, logged.event, Raw(logged.data), time=logged.time), None)


def refuse_others(view: View, actor: Actor) -> None:
    """Raises PERMISSION_DENIED for who is neither the server nor has an office."""
    if not actor.server and view.office(actor.user) == "none":
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, "permission denied: it is for those who have an office"
        )
