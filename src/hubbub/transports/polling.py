"""One long-poll: a GET that is answered as soon as there is something, or empty after `heartbeat.poll_timeout`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hubbub.transports.http import NDJSON, Exchange
from hubbub.transports.node import Node


class Poll:
    """`take` gives what is due, b"" for nothing; `head` the number of the last push taken."""

    def __init__(
        self, node: Node, exchange: Exchange, take: Callable[[], bytes], head: Callable[[], int]
    ) -> None:
        self._exchange = exchange
        self._take = take
        self._head = head
        self._deadline = node.clock.monotonic() + node.config.heartbeat.poll_timeout
        self._due = asyncio.get_running_loop().create_future()
        self._gone = False

    async def run(self) -> None:
        data = self._take()
        if not data:
            watcher = asyncio.get_running_loop().create_task(self._watch())
            try:
                await self._due
            finally:
                watcher.cancel()
            if self._gone:
                return
            data = self._take()
        await self._exchange.respond(
            200 if data else 204, data, NDJSON, [(b"hubbub-next", b"%d" % self._head())]
        )

    async def _watch(self) -> None:
        await self._exchange.gone()
        self._gone = True
        self.wake()

    @property
    def blocked(self) -> bool:
        return False

    def wake(self) -> None:
        if not self._due.done():
            self._due.set_result(None)

    def end(self) -> None:
        self.wake()

    def abort(self) -> None:
        if (socket := self._exchange.socket) is not None:
            socket.abort()
        self._gone = True
        self.wake()

    def beat(self, now: float) -> float:
        if now < self._deadline:
            return self._deadline
        self.wake()
        return now + 1.0
