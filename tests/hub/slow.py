"""A broker and a presence store whose every call suspends, for a number of turns that a seed decides."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from hubbub.broker.base import Accepted, Broker, nothing
from hubbub.engines.base import UP
from hubbub.model import NO_RETENTION, Envelope, History, Join, Leave, Member, Position, Presence, Retention
from hubbub.presence.base import PresenceStore


class Delays:
    """Waits of 0 to `most` turns of the loop, before and after each call."""

    def __init__(self, seed: int, most: int = 3) -> None:
        self._random = random.Random(seed)
        self.most = most

    async def wait(self) -> None:
        for _ in range(self._random.randint(0, self.most)):
            await asyncio.sleep(0)


class SlowBroker:
    """Calls take effect in any order, as those of a pool of connections; delivery stays immediate."""

    lossless = False
    condition = UP

    def __init__(self, broker: Broker, delays: Delays) -> None:
        self._broker = broker
        self._delays = delays

    async def start(
        self, listener: Callable[[Envelope], object], missed: Callable[[], object] = nothing
    ) -> None:
        await self._broker.start(listener, missed)

    async def stop(self) -> None:
        await self._broker.stop()

    async def subscribe(self, channel: str) -> None:
        await self._delays.wait()
        await self._broker.subscribe(channel)
        await self._delays.wait()

    async def unsubscribe(self, channel: str) -> None:
        await self._delays.wait()
        await self._broker.unsubscribe(channel)
        await self._delays.wait()

    async def publish(
        self, envelope: Envelope, retention: Retention = NO_RETENTION, *, key: str | None = None
    ) -> Accepted:
        await self._delays.wait()
        accepted = await self._broker.publish(envelope, retention, key=key)
        await self._delays.wait()
        return accepted

    async def history(
        self,
        channel: str,
        retention: Retention,
        *,
        since: Position | None = None,
        limit: int = 100,
        reverse: bool = False,
    ) -> History:
        await self._delays.wait()
        found = await self._broker.history(channel, retention, since=since, limit=limit, reverse=reverse)
        await self._delays.wait()
        return found

    async def channels(self, prefix: str = "", limit: int = 1000) -> list[str]:
        return await self._broker.channels(prefix, limit)


class SlowPresence:
    def __init__(self, store: PresenceStore, delays: Delays) -> None:
        self._store = store
        self._delays = delays

    async def touch(self, channel: str, member: Member, ttl: float) -> bool:
        await self._delays.wait()
        first = await self._store.touch(channel, member, ttl)
        await self._delays.wait()
        return first

    async def remove(self, channel: str, session: str) -> Member | None:
        await self._delays.wait()
        member = await self._store.remove(channel, session)
        await self._delays.wait()
        return member

    async def members(self, channel: str, limit: int) -> Presence:
        return await self._store.members(channel, limit)

    async def sweep(self) -> list[Join | Leave]:
        return await self._store.sweep()


async def quiet(turns: int = 300) -> None:
    """Let everything that slow calls have under way come to its end."""
    for _ in range(turns):
        await asyncio.sleep(0)
