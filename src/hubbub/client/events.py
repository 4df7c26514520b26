"""What a Client tells its user besides the server's own pushes, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass

from hubbub.errors import Disconnect
from hubbub.model import Join, Leave, Position, Publication, ServerSubscribed, ServerUnsubscribed


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection was lost; the next attempt is in `delay` seconds. `attempt` counts from 1."""

    reason: str
    delay: float
    attempt: int


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The connection stands again. `resumed` says whether the session is the old one."""

    resumed: bool


@dataclass(frozen=True, slots=True)
class Recovered:
    """Nothing is missing in `channel`: the `count` publications missed come next."""

    channel: str
    count: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Publications of `channel` after `since` are lost to this client; it goes on after `position`."""

    channel: str
    since: Position
    position: Position


ChannelEvent = Publication | Join | Leave | ServerSubscribed | ServerUnsubscribed | Recovered | Gap
"""What happens in a channel."""

Event = ChannelEvent | Reconnecting | Reconnected
"""What iterating a Client gives."""


class ClientError(Exception):
    """The server could not be reached, or what answered is no Hubbub."""


class ClosedError(ClientError):
    """The client was left, and does nothing more."""


class Disconnected(ClientError):
    """The server ended the connection and coming back would not help; `reason` is its row of the table."""

    def __init__(self, reason: Disconnect, text: str = "") -> None:
        super().__init__(f"{text or reason.text} ({reason.name}, {reason.code})")
        self.reason = reason
