"""Results of keyed calls: the same key and body get the first result, even while that is being made, on any node."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

from hubbub.clock import Clock
from hubbub.errors import ErrorCode, HubbubError
from hubbub.state.base import State
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.hub")

Run = Callable[[], Awaitable[bytes]]

LARGEST = 60_000
"""Bytes of a result that other nodes can give again: State takes 64 KiB."""
POLL = 0.1
"""Seconds between looks for a result that another node is making."""
MARGIN = 10.0
"""Seconds beyond the longest call for which a node that makes a result is waited for: then it has died."""


class _Use(Struct, frozen=True, array_like=True):
    """What a key stands for, as all nodes know it. Without a result it is being made; `large`: it was not kept."""

    body: bytes
    maker: str
    result: bytes | None = None
    large: bool = False


_decode = msgspec.msgpack.Decoder(_Use).decode
_encode = msgspec.msgpack.Encoder().encode


class Results:
    """At most `size` results, each for `ttl` seconds; the oldest go first. Failures are not kept.

    With a `state` a key is one key for all nodes. While that is away no keyed call is run that has not been run here
    (BROKER_UNAVAILABLE): it might have been run elsewhere.
    """

    def __init__(self, clock: Clock, ttl: float, size: int, *, longest: float = 30.0) -> None:
        """`longest`: seconds that making a result may take."""
        self.state: State | None = None
        self._clock = clock
        self._ttl = ttl
        self._size = size
        self._longest = longest
        self._entries: OrderedDict[str, tuple[bytes, float, asyncio.Future[bytes]]] = OrderedDict()

    async def once(self, key: str, body: bytes, run: Run) -> bytes:
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
            result = await (run() if self.state is None else self._everywhere(self.state, key, body, run))
        except BaseException as error:
            if (entry := self._entries.get(key)) is not None and entry[2] is future:
                del self._entries[key]
            future.set_exception(error if isinstance(error, Exception) else HubbubError(ErrorCode.TIMEOUT))
            future.exception()  # retrieved: nobody else may be waiting
            raise
        future.set_result(result)
        return result

    async def _everywhere(self, state: State, key: str, body: bytes, run: Run) -> bytes:
        name = f"call:{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"
        mine = _encode(_Use(body, secrets.token_hex(8)))
        until = self._clock.monotonic() + self._longest + MARGIN
        while not await state.put(name, mine, self._longest + MARGIN, fresh=True):
            found = await state.get(name)
            if found is None:
                continue  # it has just ended
            use = _decode(found)
            if use.body != body:
                raise HubbubError(ErrorCode.IDEMPOTENCY_CONFLICT, field="key")
            if use.large:
                raise HubbubError(
                    ErrorCode.NOT_AVAILABLE, "it was done, and its result is too large to be kept"
                )
            if use.result is not None:
                return use.result
            if self._clock.monotonic() >= until:
                raise HubbubError(ErrorCode.TIMEOUT, "another node is still at it")
            await self._pause()
        try:
            result = await run()
        except BaseException:
            await self._leave(state, name, mine, None)
            raise
        large = len(result) > LARGEST
        await self._leave(state, name, mine, _encode(_Use(body, "", None if large else result, large)))
        return result

    async def _leave(self, state: State, name: str, mine: bytes, use: bytes | None) -> None:
        """Never raises: what was done is done, and who repeats it at another node waits until the claim ends."""
        try:
            if use is None:
                if await state.get(name) == mine:
                    await state.delete(name)
            else:
                await state.swap(name, mine, use, self._ttl)
        except HubbubError as error:
            log.warning("the result of a call could not be shared", error=error.message)

    async def _pause(self) -> None:
        woken = asyncio.Event()
        self._clock.call_later(POLL, woken.set)
        await woken.wait()
