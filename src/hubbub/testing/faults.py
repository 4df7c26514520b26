"""A broker whose live delivery can be broken on demand, while its logs stay right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hubbub.broker.base import Accepted, Broker, nothing
from hubbub.engines.base import UP, Condition
from hubbub.model import NO_RETENTION, Envelope, History, Position, Retention


class FaultyBroker:
    """Wraps a Broker and loses, doubles or delays what it delivers: what a network between nodes may do.

    `publish` and the logs go to the wrapped broker untouched, so whoever notices a fault can heal it from
    `history`. `before_history`, if set, is awaited before each read (raise in it to make reads fail, or wait
    in it to let publishes overtake the read); `histories` counts the reads.
    """

    lossless = False

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._listener: Callable[[Envelope], object] | None = None
        self._dropping: dict[str | None, int] = {}
        self._doubling: dict[str | None, int] = {}
        self._held: list[Envelope] | None = None
        self.before_history: Callable[[], Awaitable[object]] | None = None
        self.histories = 0
        self.dropped = 0
        self.condition: Condition = UP

    def drop(self, count: int = 1, channel: str | None = None) -> None:
        """Lose the next `count` envelopes, of `channel` or of any."""
        self._dropping[channel] = self._dropping.get(channel, 0) + count

    def duplicate(self, count: int = 1, channel: str | None = None) -> None:
        """Deliver the next `count` envelopes, of `channel` or of any, twice."""
        self._doubling[channel] = self._doubling.get(channel, 0) + count

    def hold(self) -> None:
        """Keep envelopes back from now on, until `release`."""
        if self._held is None:
            self._held = []

    def release(self, *, reverse: bool = False) -> None:
        """Deliver what was held, with `reverse` in the wrong order, and hold no longer."""
        held, self._held = self._held or [], None
        for envelope in reversed(held) if reverse else held:
            self._deliver(envelope)

    async def start(
        self, listener: Callable[[Envelope], object], missed: Callable[[], object] = nothing
    ) -> None:
        self._listener = listener
        await self._broker.start(self._hear, missed)

    async def stop(self) -> None:
        await self._broker.stop()

    async def subscribe(self, channel: str) -> None:
        await self._broker.subscribe(channel)

    async def unsubscribe(self, channel: str) -> None:
        await self._broker.unsubscribe(channel)

    async def publish(
        self, envelope: Envelope, retention: Retention = NO_RETENTION, *, key: str | None = None
    ) -> Accepted:
        return await self._broker.publish(envelope, retention, key=key)

    async def history(
        self,
        channel: str,
        retention: Retention,
        *,
        since: Position | None = None,
        limit: int = 100,
        reverse: bool = False,
    ) -> History:
        self.histories += 1
        if self.before_history is not None:
            await self.before_history()
        return await self._broker.history(channel, retention, since=since, limit=limit, reverse=reverse)

    async def channels(self, prefix: str = "", limit: int = 1000) -> list[str]:
        return await self._broker.channels(prefix, limit)

    def _hear(self, envelope: Envelope) -> None:
        if self._take(self._dropping, envelope):
            self.dropped += 1
            return
        copies = 2 if self._take(self._doubling, envelope) else 1
        for _ in range(copies):
            if self._held is not None:
                self._held.append(envelope)
            else:
                self._deliver(envelope)

    def _deliver(self, envelope: Envelope) -> None:
        if self._listener is not None:
            self._listener(envelope)

    @staticmethod
    def _take(faults: dict[str | None, int], envelope: Envelope) -> bool:
        """Whether one of `faults` is due for the envelope; it is then used up."""
        for channel in (envelope.push.channel, None):
            if faults.get(channel):
                faults[channel] -= 1
                return True
        return False
