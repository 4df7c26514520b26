"""What a connection is to the session above it, whatever carries it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ssl import SSLContext
from typing import Protocol

from hubbub.client.state import Transport
from hubbub.client.wire import Push, Reply
from hubbub.model import Command, Connect

WITHIN = 10.0
"""Seconds in which a connection is open, and a session begun."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is: `url` as `failures.root` gives it, and how its certificate is checked (None: as usual)."""

    url: str
    ssl: SSLContext | None = None


class Link(Protocol):
    """One connection, which has one session. `transport` may change from `sse` to `polling` on the way."""

    transport: Transport

    async def begin(self, command: Connect) -> tuple[Reply, Sequence[Reply | Push]]:
        """Have a session, and what came right behind the answer. After a refusal it may be tried with another command.

        Raises UnreachableError if there is no answer, EndedError, and ClientError for an answer that is none of ours.
        """
        ...

    async def send(self, command: Command) -> None:
        """Raises LostError if the connection has ended."""
        ...

    async def receive(self) -> Sequence[Reply | Push]:
        """What comes next; a `disconnect` among it. Raises EndedError when it is over, and ClientError for nonsense."""
        ...

    async def close(self) -> None:
        """End it in good order; it may have ended already."""
        ...

    def abort(self) -> None:
        """Cut it, as a broken network would."""
        ...
