"""A connection to Redis that is made again whenever it ends: nothing but `stop` ends whoever watches over it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from hubbub.clock import Clock
from hubbub.engines.breaker import Breaker
from hubbub.engines.redis_link import Address, Broken, Link, Login, connect, unavailable
from hubbub.engines.resp import Push
from hubbub.errors import ConfigError
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

NAME = "redis"
log = get_logger("hubbub.engines")

Locate = Callable[[], Awaitable[Address]]
"""Where the server is now. Raises Broken, ConfigError."""


class Owner(Protocol):
    """Whom the lines of all servers tell what happens to them."""

    def judge(self) -> None:
        """Something about the condition may have changed."""

    def renew(self) -> None:
        """Commands reach a server again, or what it kept is gone."""

    def miss(self) -> None:
        """Something may not have been heard, and all is heard again."""

    def stale(self) -> None:
        """Servers have other parts than they were thought to have."""


class Line:
    """`link` is None while there is none; `detail` says why. Its breaker is open then, and nothing but connecting is
    tried."""

    def __init__(self, clock: Clock, metrics: Metrics, login: Login, locate: Locate, owner: Owner) -> None:
        self.link: Link | None = None
        self.detail = "not connected yet"
        self.breaker = Breaker(random.random)
        self._clock = clock
        self._metrics = metrics
        self._login = login
        self._locate = locate
        self._owner = owner
        self._task: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None] | None = None

    def start(self) -> asyncio.Future[None]:
        """Begin; the future is done when the first attempt is over, and raises ConfigError if it never can succeed."""
        self._first = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._keep())
        return self._first

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self.link is not None:
            self.link.drop("left", "it was left")
            self.link = None
        if self._first is not None and not self._first.done():
            self._first.set_result(None)

    def require(self) -> Link:
        """The link. Raises HubbubError BROKER_UNAVAILABLE, at once."""
        link = self.link
        if link is None:
            raise unavailable(self.detail)
        return link

    def drop(self, reason: str, detail: str) -> None:
        """End the link, for it is not fit: another is made."""
        if self.link is not None:
            self.link.drop(reason, detail)

    async def _begin(self, link: Link) -> None:
        """What is to be said before others speak. Raises Broken."""

    def _pushed(self, push: Push) -> None:
        """The server said something unasked."""

    def _up(self, again: bool) -> None:
        """It stands, perhaps not for the first time."""

    async def _keep(self) -> None:
        attempts = 0
        while True:
            attempts += 1
            try:
                await self._attempt(again=attempts > 1)
            except (Exception, asyncio.CancelledError) as error:  # whatever it is: the next attempt is made
                if stopping():
                    raise
                if not isinstance(error, Broken | ConfigError):
                    log.exception("the line to an engine failed", engine=NAME)
                self._broke(error)
            await pause(self._clock, self.breaker.delay())

    async def _attempt(self, again: bool) -> None:
        """Connect, and stay until it ends. Raises what ended it."""
        link = await connect(await self._locate(), self._login, self._clock, self._metrics, self._pushed)
        self.link = link
        try:
            if link.greeting.role != "master":
                raise Broken("readonly", "it is a replica")
            await self._begin(link)
            self.breaker.succeeded(self._clock.monotonic())
            if again:
                self._metrics.engine_reconnects[NAME] += 1
            self._up(again)
            self._tried(None)
            self._owner.judge()
            await asyncio.wait([link.ended])
            raise link.ended.result()
        finally:
            link.drop("left", "it was left")
            self.link = None

    def _broke(self, error: BaseException) -> None:
        self.breaker.failed(self._clock.monotonic())
        self.detail = str(error) if isinstance(error, Broken | ConfigError) else "it failed here"
        reason = (
            error.reason
            if isinstance(error, Broken)
            else "config"
            if isinstance(error, ConfigError)
            else "internal"
        )
        self._metrics.engine_errors[NAME, reason] += 1
        self._tried(error if isinstance(error, ConfigError) else None)
        self._owner.judge()

    def _tried(self, error: ConfigError | None) -> None:
        if self._first is not None and not self._first.done():
            if error is None:
                self._first.set_result(None)
            else:
                self._first.set_exception(error)


def stopping() -> bool:
    """Whether somebody wants this task to end, and not only a part of what it waited for was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def pause(clock: Clock, seconds: float) -> None:
    """Wait by that clock."""
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timer = clock.call_later(seconds, lambda: over.cancelled() or over.set_result(None))  # type: ignore[func-returns-value]
    try:
        await over
    finally:
        timer.cancel()


def retrieved(future: asyncio.Future[Any]) -> None:
    """Nobody waits for it: how it ended is seen elsewhere."""
    if not future.cancelled():
        future.exception()
