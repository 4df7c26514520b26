"""A channel as its user sees it, and those who read it, each at its own pace."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from hubbub import model
from hubbub.client.events import ChannelEvent, Gap
from hubbub.client.presence import PresenceSet
from hubbub.client.publications import Received
from hubbub.client.reading import Reading
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import History, Position, Presence, Publication

if TYPE_CHECKING:
    from hubbub.client.client import Client

D = TypeVar("D")
BUFFER = 10_000
"""Publications that wait for a reader; what comes beyond is read from the channel's log when there is room."""
log = logging.getLogger("hubbub.client")


class Channel(Generic[D]):
    """A channel of a Client (`client.channel`). Iterate it for its publications; each iteration has a reader of its
    own, and is in the channel for as long as it lasts:

        async for publication in client.channel("orders:eu"):
            print(publication.data)

    `type` is what data is decoded as, `since` from where to catch up, `presence` whether others see who reads. `on_gap`
    is called when publications are missing for good; without it that is logged as a warning.
    """

    def __init__(
        self,
        client: Client,
        name: str,
        type: Any,
        *,
        since: Position | None,
        token: str | None,
        presence: bool,
        buffer: int,
        on_gap: Callable[[Gap], object] | None,
    ) -> None:
        self.name = name
        self._client = client
        self._type = type
        self._since = since
        self._token = token
        self._presence = presence
        self._buffer = buffer
        self._on_gap = on_gap

    def __repr__(self) -> str:
        return f"<Channel {self.name!r}>"

    def __aiter__(self) -> Subscription[D]:
        return self.subscribe()

    def subscribe(self, *, since: Position | None = None) -> Subscription[D]:
        """A reader. Enter it (`async with`) to be in the channel before the first publication is waited for."""
        return Subscription(self._reading(since), self._type, self._on_gap)

    async def events(self, *, since: Position | None = None) -> AsyncIterator[ChannelEvent]:
        """All that happens in the channel: publications, Gap and Recovered, joins and leaves. Ends with the
        ServerUnsubscribed by which the server takes us out."""
        reading = self._reading(since)
        try:
            async for event in reading:
                yield event
                if isinstance(event, model.ServerUnsubscribed):
                    return
        finally:
            reading.close()

    async def publish(
        self,
        data: Any,
        *,
        event: str = "message",
        key: str | None = None,
        echo: bool = True,
        conflation_key: str | None = None,
    ) -> Position | None:
        """As `Client.publish`."""
        return await self._client.publish(
            self.name, data, event=event, key=key, echo=echo, conflation_key=conflation_key
        )

    async def history(
        self, *, since: Position | None = None, limit: int = 100, reverse: bool = False
    ) -> History:
        """Part of the channel's log."""
        return await self._client.history(self.name, since=since, limit=limit, reverse=reverse)

    async def presence(self) -> Presence:
        """Who is there now."""
        return await self._client.presence(self.name)

    def members(self) -> PresenceSet:
        """Who is there, kept true while it is entered: `async with channel.members() as members: ...`."""
        return PresenceSet(self._client, self.name, self._reading(None))

    def _reading(self, since: Position | None) -> Reading:
        return Reading(
            self._client,
            self.name,
            since=since or self._since,
            token=self._token,
            presence=self._presence,
            limit=self._buffer,
        )


class Subscription(Generic[D]):
    """A reader of a channel's publications. It is in the channel from its entering or the first `async for` on until it
    is left, closed or forgotten. `dropped` counts what was lost for its slowness where the channel keeps no log."""

    def __init__(self, reading: Reading, type: Any, on_gap: Callable[[Gap], object] | None) -> None:
        self._reading = reading
        self._type = type
        self._on_gap = on_gap

    async def __aenter__(self) -> Self:
        """Enter the channel. Raises HubbubError if the server refuses."""
        await self._reading.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Received[D]:
        """The next publication. Raises HubbubError if the server has taken us out, and Disconnected if it will not have
        us back; ends when the client is left."""
        while True:
            event = await self._reading.__anext__()
            if isinstance(event, Publication):
                return Received(event, self._type)
            if isinstance(event, Gap):
                if self._on_gap is not None:
                    self._on_gap(event)
                else:
                    log.warning(
                        "%s: publications are missing after offset %d", event.channel, event.since.offset
                    )
            elif isinstance(event, model.ServerUnsubscribed):
                self._reading.close()
                raise removed(event)

    @property
    def position(self) -> Position | None:
        """Behind the publication that was given last: where to begin (`since`) another time."""
        return self._reading.position

    @property
    def dropped(self) -> int:
        return self._reading.dropped

    def close(self) -> None:
        """Leave the channel."""
        self._reading.close()

    def __del__(self) -> None:
        reading = getattr(self, "_reading", None)
        if reading is not None:
            reading.forget()


def removed(event: model.ServerUnsubscribed) -> HubbubError:
    """What is raised where the server has ended a subscription."""
    try:
        code = ErrorCode(event.code)
    except ValueError:
        code = ErrorCode.NOT_SUBSCRIBED
    return HubbubError(code, f"{event.channel}: {event.reason or 'unsubscribed by the server'}")
