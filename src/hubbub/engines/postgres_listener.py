"""The connection of a node that hears: LISTEN for each name that is wanted, again and again for ever."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from hubbub.engines.postgres_lane import BACKOFF, ENGINE, reason, unavailable
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

log = get_logger("hubbub.engines")

MOST = 500
"""Names in one statement."""

Heard = Callable[[str, str], object]


class Listener:
    """`connect` opens an asyncpg connection that calls what it is given with each name and payload, in order.

    `restored` is called when, after an interruption, all names are listened to again; `changed` when a connection was
    made and when one was lost. `home` is a name that is always listened to first, so that the connection can be tried.
    """

    def __init__(
        self,
        connect: Callable[[Heard], Awaitable[Any]],
        heard: Heard,
        restored: Callable[[], object],
        changed: Callable[[], object],
        metrics: Metrics,
        *,
        timeout: float,
        home: tuple[str, ...] = (),
    ) -> None:
        self.open = False
        self._connect = connect
        self._heard = heard
        self._restored = restored
        self._changed = changed
        self._metrics = metrics
        self._timeout = timeout
        self._wanted = dict.fromkeys(home)
        self._on: set[str] = set()
        self._pending: dict[str, asyncio.Future[None] | None] = {}
        self._wake = asyncio.Event()
        self._cut_off = False
        self._before = False
        self._connection: Any = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._serve())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._give_up()

    async def listen(self, name: str) -> None:
        """Once it returns, `name` is heard. Raises BROKER_UNAVAILABLE if the server cannot be reached; the name is
        remembered, and listened to when it can."""
        self._wanted[name] = None
        if self.open and name in self._on and name not in self._pending:
            return
        if self._cut_off or self._task is None:
            raise unavailable()
        future = self._pending.get(name)
        if future is None or future.done():
            future = self._pending[name] = asyncio.get_running_loop().create_future()
            self._wake.set()
        await asyncio.shield(future)

    def unlisten(self, name: str) -> None:
        """Before long it is heard no more."""
        self._wanted.pop(name, None)
        if name in self._on or name in self._pending:
            self._pending.setdefault(name, None)
            self._wake.set()

    def cut(self) -> None:
        """The connection is there and says nothing: make another."""
        if self._connection is not None:
            self._connection.terminate()
            self._wake.set()

    async def _serve(self) -> None:
        wait = 0.0
        while True:
            try:
                self._connection = await self._connect(self._heard)
                self._connection.add_termination_listener(self._ended)
                await self._say(self._connection, list(self._wanted), [])
                self._cut_off, self.open, wait = False, True, 0.0
                self._changed()
                if self._before:
                    self._restored()
                self._before = True
                await self._follow(self._connection)
            except Exception as error:
                # Whatever it is, a node that listens no more would be deaf for ever.
                self._metrics.engine_errors[ENGINE, reason(error)] += 1
                if self.open or not self._cut_off:
                    log.warning("not listening to PostgreSQL; trying on", reason=reason(error))
                self._cut_off = not self.open
                if self._cut_off:
                    self._give_up()
            finally:
                was_open, self.open = self.open, False
                self._on.clear()
                if self._connection is not None:
                    self._connection.terminate()
                    self._connection = None
                if was_open:
                    self._changed()
            self._metrics.engine_reconnects[ENGINE] += 1
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(wait * 2, BACKOFF[1]) or BACKOFF[0]

    async def _follow(self, connection: Any) -> None:
        """Listen to what is wanted from now on, and no longer to what is not."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if connection.is_closed():
                raise ConnectionError("PostgreSQL has closed the connection")
            names = list(self._pending)
            await self._say(
                connection,
                [name for name in names if name in self._wanted and name not in self._on],
                [name for name in names if name not in self._wanted and name in self._on],
            )

    async def _say(self, connection: Any, names: list[str], unwanted: list[str]) -> None:
        statements = [f'LISTEN "{name}"' for name in names] + [f'UNLISTEN "{name}"' for name in unwanted]
        for start in range(0, len(statements), MOST):
            async with asyncio.timeout(self._timeout):
                await connection.execute(";".join(statements[start : start + MOST]))
        self._on.update(names)
        self._on.difference_update(unwanted)
        for name in [name for name in self._pending if (name in self._wanted) is (name in self._on)]:
            future = self._pending.pop(name)
            if future is not None and not future.done():
                future.set_result(None)
        if self._pending:  # changed their minds meanwhile
            self._wake.set()

    def _give_up(self) -> None:
        for future in self._pending.values():
            if future is not None and not future.done():
                future.set_exception(unavailable())
                future.exception()
        self._pending.clear()

    def _ended(self, _: Any) -> None:
        self._wake.set()
