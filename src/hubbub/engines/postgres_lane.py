"""A lane to PostgreSQL: what is asked for meanwhile goes together in the next statement, over connections that are made
again for ever.

A caller that is cancelled disturbs nobody: it waits for a future, and the connection is the lane's. What takes too long
has its connection cut; what becomes of it then is not known, and its callers are told so.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from hubbub.errors import ErrorCode, HubbubError
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

log = get_logger("hubbub.engines")

J = TypeVar("J")
R = TypeVar("R")

ENGINE = "postgresql"
BACKOFF = (0.1, 1.0)
"""Seconds between attempts to connect: the first, and the longest; times a random part."""
RETRY_AFTER = 1.0
IDLE = 2.0
"""Seconds of silence after which a connection is asked whether it is one."""
REPEATS = 3
"""How often a transaction that met another one (deadlock, serialization) is tried."""

Connect = Callable[[], Awaitable[Any]]
Run = Callable[[Any, list[J]], Awaitable[Sequence["R | Exception"]]]


def unavailable() -> HubbubError:
    return HubbubError(ErrorCode.BROKER_UNAVAILABLE, retry_after=RETRY_AFTER)


class Lane(Generic[J, R]):
    """`run` does a list of jobs on an asyncpg connection, in one transaction, and gives a result or an exception for
    each. `most` go together; with a single connection, jobs are done in the order in which they came.

    `changed` is called when a connection was made and when one was lost.
    """

    def __init__(
        self,
        connect: Connect,
        run: Run[J, R],
        changed: Callable[[], object],
        metrics: Metrics,
        *,
        timeout: float,
        most: int = 1,
        connections: int = 1,
    ) -> None:
        self.open = 0
        self._connect = connect
        self._run = run
        self._changed = changed
        self._metrics = metrics
        self._timeout = timeout
        self._most = most
        self._connections = connections
        self._cut_off = 0  # connections that could not be made at the last attempt
        self._jobs: deque[tuple[J, asyncio.Future[R]]] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def whole(self) -> bool:
        return self.open == self._connections

    @property
    def cut_off(self) -> bool:
        """Whether the server could not be reached at the last attempt: what is asked for fails at once."""
        return self._cut_off == self._connections

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._serve()) for _ in range(self._connections)]

    async def stop(self) -> None:
        """Finish what waits, if that is possible in time, and end."""
        if self._tasks and self.open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timeout):
                    while self._jobs:
                        await asyncio.wait([self._jobs[-1][1]])
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._fail_waiting()

    def submit(self, job: J) -> asyncio.Future[R]:
        """Have it done. Raises HubbubError BROKER_UNAVAILABLE at once while there is no connection, and by the future
        if it is not known whether it was done."""
        if self.cut_off or not self._tasks:
            raise unavailable()
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._jobs.append((job, future))
        while self._idle:
            if not (waiter := self._idle.popleft()).done():
                waiter.set_result(None)
                break
        return future

    async def _serve(self) -> None:
        wait, refused = 0.0, False
        while True:
            connection = None
            try:
                connection = await self._connect()
                if refused:
                    self._cut_off -= 1
                wait, refused = 0.0, False
                self.open += 1
                self._changed()
                try:
                    await self._work(connection)
                finally:
                    self.open -= 1
                    self._changed()
            except Exception as error:
                # Whatever it is, without the task nothing would ever be done again.
                self._metrics.engine_errors[ENGINE, reason(error)] += 1
                if connection is not None:
                    log.warning("a connection to PostgreSQL was lost", reason=reason(error))
                elif not refused:
                    refused = True
                    self._cut_off += 1
                    log.warning("no connection to PostgreSQL; trying on", reason=reason(error))
                if self.cut_off:
                    self._fail_waiting()
                    self._changed()
            finally:
                if connection is not None:
                    connection.terminate()
            self._metrics.engine_reconnects[ENGINE] += 1
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(wait * 2, BACKOFF[1]) or BACKOFF[0]

    async def _work(self, connection: Any) -> None:
        """Do what comes, until the connection is lost."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()

        def ended(_: Any) -> None:
            if not waiter.done():
                waiter.set_result(None)

        connection.add_termination_listener(ended)
        while True:
            if not self._jobs:
                waiter = loop.create_future()
                self._idle.append(waiter)
                timer = loop.call_later(IDLE, ended, None)
                try:
                    await waiter
                finally:
                    timer.cancel()
                    with contextlib.suppress(ValueError):
                        self._idle.remove(waiter)
            if connection.is_closed():
                raise ConnectionError("PostgreSQL has closed the connection")
            batch = self._take()
            if batch:
                await self._do(connection, batch)
            else:
                async with asyncio.timeout(self._timeout):
                    await connection.execute("SELECT 1")

    def _take(self) -> list[tuple[J, asyncio.Future[R]]]:
        batch: list[tuple[J, asyncio.Future[R]]] = []
        while self._jobs and len(batch) < self._most:
            job = self._jobs.popleft()
            if not job[1].done():  # its caller has gone
                batch.append(job)
        return batch

    async def _do(self, connection: Any, batch: list[tuple[J, asyncio.Future[R]]]) -> None:
        try:
            await self._attempt(connection, batch)
        except Exception as error:
            if connection.is_closed() or not refusal(error):
                raise
            # The server has undone it. One of them is to blame: the others shall not suffer.
            self._metrics.engine_errors[ENGINE, reason(error)] += 1
            if len(batch) > 1:
                for each in batch:
                    await self._do(connection, [each])
            else:
                log.error("PostgreSQL refuses a statement", exc_info=error)
        finally:
            for _, future in batch:
                if not future.done():
                    future.set_exception(unavailable())
                    future.exception()  # nobody may be waiting

    async def _attempt(self, connection: Any, batch: list[tuple[J, asyncio.Future[R]]]) -> None:
        began = asyncio.get_running_loop().time()
        for left in reversed(range(REPEATS)):
            try:
                async with asyncio.timeout(self._timeout):
                    results = await self._run(connection, [job for job, _ in batch])
                break
            except Exception as error:
                if not left or not (getattr(error, "sqlstate", None) or "").startswith("40"):
                    raise
        self._metrics.engine_seconds.observe(asyncio.get_running_loop().time() - began)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
                future.exception()
            else:
                future.set_result(result)

    def _fail_waiting(self) -> None:
        while self._jobs:
            _, future = self._jobs.popleft()
            if not future.done():
                future.set_exception(unavailable())
                future.exception()


def refusal(error: BaseException) -> bool:
    """Whether the server says that it is the statement that is wrong, and not how the server is."""
    return (getattr(error, "sqlstate", None) or "")[:2] in ("21", "22", "23", "40", "42", "54", "P0")


def reason(error: BaseException) -> str:
    """A few words for metrics and logs, without what was in the statement."""
    state = getattr(error, "sqlstate", None)
    if isinstance(error, TimeoutError):
        return "timeout"
    return (
        f"sqlstate {state}" if state else "connection" if isinstance(error, OSError) else type(error).__name__
    )
