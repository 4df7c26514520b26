"""One reader of one channel: what waits for it, and how it catches up if it was too slow."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Self

from hubbub.client.events import ChannelEvent, ClosedError, Gap, Recovered
from hubbub.errors import HubbubError
from hubbub.model import Position, Publication

if TYPE_CHECKING:
    from hubbub.client.client import Client

PAGE = 500


class Reading:
    """See Channel. What happens waits here; if more than `limit` publications do, the rest of them is left in the
    channel's log, and read from there once these were taken. Where there is no log the oldest are dropped."""

    def __init__(
        self,
        client: Client,
        name: str,
        *,
        since: Position | None,
        token: str | None,
        presence: bool,
        limit: int,
    ) -> None:
        self.dropped = 0
        self.position = since
        """Behind what was given last."""
        self._client = client
        self._name = name
        self._token = token
        self._presence = presence
        self._limit = limit
        self._events: deque[ChannelEvent] = deque()
        self._last = since
        """Behind what waits, or is known to be before it."""
        self._lagging = False
        self._waiting: asyncio.Future[None] | None = None
        self._entered = False
        self._closed = False
        self._error: Exception | None = None

    async def enter(self) -> None:
        """Be in the channel. Raises HubbubError if the server refuses."""
        if self._entered or self._closed:
            return
        self._entered = True
        channels = self._client.channels
        try:
            reply = await channels.enter(self._name, self, self._token, self._last, self._presence)
        except BaseException:
            self._entered = False
            raise
        if reply is not None:
            self._last = self._last or reply.position
        elif self._last is None:
            self._last = channels.entries[self._name].position
        else:
            self._lagging = True  # others read here already: what was before is read from the log
        self.position = self.position or self._before() or self._last

    def _before(self) -> Position | None:
        """Before what came already: where the answer was lost with a connection, it is later than that."""
        for event in self._events:
            if isinstance(event, Publication) and event.offset is not None and event.epoch is not None:
                return Position(event.epoch, event.offset - 1)
        return None

    def close(self) -> None:
        """Leave the channel."""
        if not self._closed:
            self._closed = True
            if self._entered:
                self._client.channels.leave(self._name, self)
            self._wake()

    def forget(self) -> None:
        """As `close`, from whatever thread the garbage is collected in."""
        if self._entered and not self._closed:
            loop = self._client.session.loop
            if not loop.is_closed():
                loop.call_soon_threadsafe(self.close)

    # --- what comes (see Reader) --------------------------------------------------------------------------

    def give(self, event: ChannelEvent) -> None:
        if self._closed:
            return
        if isinstance(event, Publication):
            if self._lagging:
                return
            if len(self._events) >= self._limit:
                if event.offset is not None and self._last is not None:
                    self._lagging = True
                    return
                self._events.popleft()
                self.dropped += 1
            if event.offset is not None and event.epoch is not None:
                self._last = Position(event.epoch, event.offset)
        elif isinstance(event, Gap | Recovered):
            if self._lagging:
                return  # the log tells
            if isinstance(event, Gap):
                self._last = event.position
        self._events.append(event)
        self._wake()

    def fail(self, error: Exception) -> None:
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # --- what is taken ------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChannelEvent:
        while True:
            if self._events:
                return self._taken(self._events.popleft())
            if self._closed:
                raise StopAsyncIteration
            if self._error is not None:
                self._closed = True
                if isinstance(self._error, ClosedError):
                    raise StopAsyncIteration
                raise self._error
            if not self._entered or self._lagging:
                try:
                    await (self._catch_up() if self._entered else self.enter())
                except ClosedError as error:
                    self._error = error
            else:
                self._waiting = asyncio.get_running_loop().create_future()
                await self._waiting

    def _taken(self, event: ChannelEvent) -> ChannelEvent:
        if isinstance(event, Publication) and event.offset is not None and event.epoch is not None:
            self.position = Position(event.epoch, event.offset)
        elif isinstance(event, Gap):
            self.position = event.position
        return event

    async def _catch_up(self) -> None:
        """Read on in the log; what is published meanwhile is there as well."""
        since = self._last
        assert since is not None
        entry = self._client.channels.entries.get(self._name)
        try:
            history = await self._client.history(self._name, since=since, limit=PAGE)
        except HubbubError as error:
            if error.info.temporary:
                await asyncio.sleep(error.retry_after or 0.5)
                return
            # We may not read the log: what was left there is lost to us.
            position = entry.position if entry is not None else None
            self._lagging = False
            self._last = position or since
            self._events.append(Gap(self._name, since, self._last))
            return
        if not history.complete:
            if not history.publications:  # what is still there
                history = await self._client.history(self._name, limit=PAGE)
            before = history.publications[0].offset if history.publications else None
            at = history.position if before is None else Position(history.position.epoch, before - 1)
            self._events.append(Gap(self._name, since, at))
            self._last = at
        self._events.extend(history.publications)
        if history.publications and (offset := history.publications[-1].offset) is not None:
            self._last = Position(history.position.epoch, offset)
        if not history.more:
            self._last = history.position
            entry = self._client.channels.entries.get(self._name)
            seen = entry.position if entry is not None else None
            # What was published since then and before now was passed over.
            self._lagging = seen is not None and (
                seen.epoch != self._last.epoch or seen.offset > self._last.offset
            )
