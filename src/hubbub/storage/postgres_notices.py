"""How the nodes of one PostgreSQL tell each other what they have written, by LISTEN and NOTIFY on one connection each.

It is told after the commit and not inside it: a transaction that notifies holds a lock of the whole cluster until it is
on disk, and fails when the queue of notices is full. What is lost so, the head check finds.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec

from hubbub.storage.base import Logged
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

log = get_logger("hubbub.storage")

CHANNEL = "hubbub"
PAYLOAD = 7_900
"""Bytes; PostgreSQL takes less than 8,000."""
ANY = ""
"""In the place of a channel: something may have been missed anywhere."""
MOST = 10_000
"""Channels that wait to be told; with more, others are told that it may be any."""
PROBE = 10.0
"""Seconds of silence after which a node listens for itself."""
PACE = 0.005
"""Seconds between notices: what is written meanwhile goes with the next."""
BACKOFF = (0.1, 5.0)
"""Seconds between attempts to connect: the first, and the longest."""
NOTIFY = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload"

Hinted = Callable[[str, int], object]


def payloads(node: str, offsets: Mapping[str, int]) -> list[str]:
    """`["node",{"channel":offset,...}]`, in as few as hold them."""
    made: list[str] = []
    part: dict[str, int] = {}
    size = empty = len(node) + 8
    for channel, offset in offsets.items():
        more = len(msgspec.json.encode(channel)) + len(str(offset)) + 2
        if part and size + more > PAYLOAD:
            made.append(msgspec.json.encode((node, part)).decode())
            part, size = {}, empty
        part[channel] = offset
        size += more
    if part:
        made.append(msgspec.json.encode((node, part)).decode())
    return made


class Notices:
    """One node's connection, which is made again for ever. `connect` opens an asyncpg connection within seconds.

    `hinted` is called with what others have written, and with `("", 0)` when something may have been missed.
    """

    def __init__(
        self,
        connect: Callable[[float], Awaitable[Any]],
        hinted: Hinted,
        timeout: float,
        metrics: Metrics,
    ) -> None:
        self.node = secrets.token_hex(6)
        self.listening = asyncio.Event()
        self._probe = msgspec.json.encode((self.node, {})).decode()
        self._connect = connect
        self._hinted = hinted
        self._timeout = timeout
        self._metrics = metrics
        self._pending: dict[str, int] = {}
        self._wanted = asyncio.Event()
        self._probed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._serve())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def tell(self, events: Iterable[Logged]) -> None:
        """Have other nodes know of events that are durable. Never waits; the latest offset of a channel is enough."""
        pending = self._pending
        for event in events:
            pending[event.channel] = event.offset
        if len(pending) > MOST:
            self._pending = {ANY: 0}
        self._wanted.set()

    async def _serve(self) -> None:
        before, wait = False, BACKOFF[0]
        while True:
            connection = None
            try:
                connection = await self._connect(self._timeout)
                async with asyncio.timeout(self._timeout):
                    await connection.add_listener(CHANNEL, self._heard)
                connection.add_termination_listener(self._ended)
                if before:
                    # In the meantime nobody heard us, nor we them.
                    self._pending = {ANY: 0}
                    self._wanted.set()
                    self._hint({ANY: 0})
                before, wait = True, BACKOFF[0]
                self.listening.set()
                await self._speak(connection)
            except Exception as error:
                # Whatever it is, a node that listens no more would be deaf for ever.
                self._metrics.store_errors["notices"] += 1
                log.warning("not listening for other nodes", error=f"{type(error).__name__}: {error}")
            finally:
                self.listening.clear()
                if connection is not None:
                    connection.terminate()
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(wait * 2, BACKOFF[1])

    async def _speak(self, connection: Any) -> None:
        """Tell what waits, and hear that it was told, now and then for that alone. Raises when it is not heard."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE):
                    await self._wanted.wait()
            self._wanted.clear()
            if connection.is_closed():
                raise ConnectionError("the database has closed the connection")
            told, self._pending = self._pending, {}
            self._probed.clear()
            async with asyncio.timeout(self._timeout):
                await connection.execute(NOTIFY, CHANNEL, payloads(self.node, told) or [self._probe])
                await self._probed.wait()
            await asyncio.sleep(PACE)

    def _ended(self, _: Any) -> None:
        self._wanted.set()

    def _heard(self, connection: Any, process: int, channel: str, payload: str) -> None:
        try:
            node, offsets = msgspec.json.decode(payload, type=tuple[str, dict[str, int]])
        except msgspec.DecodeError:
            return  # somebody else's: channels of notices are one space for the whole database
        if node == self.node:
            self._probed.set()
        else:
            self._hint(offsets)

    def _hint(self, offsets: Mapping[str, int]) -> None:
        for channel, offset in offsets.items():
            try:
                self._hinted(channel, offset)
            except Exception:
                log.exception("a hint was not taken", channel=channel)
