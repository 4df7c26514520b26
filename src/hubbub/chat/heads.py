"""What all events of a log begin with. Pure."""

from __future__ import annotations

from msgspec import Struct


class Head(Struct, frozen=True, omit_defaults=True):
    """What each event of a conversation's log begins with. `actor` is absent for what the server did itself."""

    conversation: str
    seq: int
    time: float
    actor: str | None = None


class InboxHead(Struct, frozen=True, omit_defaults=True):
    """What each event of a user's inbox begins with."""

    seq: int
    time: float
