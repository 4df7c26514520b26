"""Which transport is taken: the best one that gets through, remembered while it does."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from hubbub.client.events import ClientError
from hubbub.client.failures import UnreachableError
from hubbub.client.links.base import Link, Place
from hubbub.client.state import Transport

T = TypeVar("T")
R = TypeVar("R")
ALL: tuple[Transport, ...] = ("websocket", "sse", "polling")
REMEMBERED = 300.0
"""Seconds for which a second-best transport is begun with, before the best one is tried again."""
REMEMBERED_BRIEFLY = 10.0
"""The same where the best one has got through before."""
Open = Callable[[Place, Transport], Awaitable[Link]]


async def open_link(place: Place, transport: Transport) -> Link:
    """A connection by one transport. Raises UnreachableError."""
    if transport == "websocket":
        from hubbub.client.links.websocket import WebSocketLink

        return await WebSocketLink.open(place)
    from hubbub.client.links.streaming import HttpLink

    return HttpLink(place, transport)


class Chooser:
    """Tries `transports` in their order."""

    def __init__(
        self,
        place: Place,
        transports: Sequence[Transport],
        *,
        opened: Open = open_link,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not transports or not set(transports) <= set(ALL):
            raise ClientError(f"transports: one or more of {', '.join(ALL)}")
        self._place = place
        self._transports = tuple(transports)
        self._open = opened
        self._clock = clock
        self._proven: set[Transport] = set()
        self._missed = 0
        """Attempts in a row in which one that has got through before did not."""
        self._first: Transport | None = None
        self._until = 0.0

    async def open(self, begin: Callable[[Link], Awaitable[tuple[T, R]]]) -> tuple[Link, T, R]:
        """A link on which `begin` has had success, and what that has given.

        Raises what the first transport fails with, if another cannot do better or does no better. One that has got
        through before is tried once more, by the next call, before others are: it may be the server's doing.
        """
        first: UnreachableError | None = None
        for transport in self._order():
            try:
                link = await self._open(self._place, transport)
                try:
                    result = await begin(link)
                except BaseException:
                    link.abort()
                    await link.close()
                    raise
            except UnreachableError as error:
                first = first or error
                if not error.other or self._once_more(transport):
                    break
            else:
                self._remember(link.transport)
                return link, *result
        assert first is not None
        raise first

    def _once_more(self, transport: Transport) -> bool:
        if transport not in self._proven:
            return False
        self._missed += 1
        return self._missed == 1

    def _order(self) -> list[Transport]:
        if self._first is None or self._clock() > self._until:
            self._first = None
            return list(self._transports)
        return [self._first, *(each for each in self._transports if each != self._first)]

    def _remember(self, transport: Transport) -> None:
        self._missed = 0
        self._proven.add(transport)
        best = self._transports[0]
        if transport == best:
            self._first = None
        elif transport != self._first:
            span = REMEMBERED_BRIEFLY if best in self._proven else REMEMBERED
            self._first, self._until = transport, self._clock() + span
