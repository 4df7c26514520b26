"""Results of keyed calls: the same key and body get the first result, even while it is still being made."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from hubbub.clock import Clock
from hubbub.errors import ErrorCode, HubbubError


class Results:
    """At most `size` results, each for `ttl` seconds; the oldest go first. Failures are not kept."""

    def __init__(self, clock: Clock, ttl: float, size: int) -> None:
        self._clock = clock
        self._ttl = ttl
        self._size = size
        self._entries: OrderedDict[str, tuple[bytes, float, asyncio.Future[bytes]]] = OrderedDict()

    async def once(self, key: str, body: bytes, run: Callable[[], Awaitable[bytes]]) -> bytes:
        """Raises IDEMPOTENCY_CONFLICT when `key` came with another body before."""
        now = self._clock.monotonic()
        while self._entries and next(iter(self._entries.values()))[1] <= now:
            self._entries.popitem(last=False)
        if (entry := self._entries.get(key)) is not None:
            if entry[0] != body:
                raise HubbubError(ErrorCode.IDEMPOTENCY_CONFLICT, field="key")
            return await asyncio.shield(entry[2])
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._entries[key] = (body, now + self._ttl, future)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
        try:
            result = await run()
        except BaseException as error:
            if (entry := self._entries.get(key)) is not None and entry[2] is future:
                del self._entries[key]
            future.set_exception(error if isinstance(error, Exception) else HubbubError(ErrorCode.TIMEOUT))
            future.exception()  # retrieved: nobody else may be waiting
            raise
        future.set_result(result)
        return result
