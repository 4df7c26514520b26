"""Run a coroutine here and now, and make a task only of what is left when it first waits.

Most commands never wait (memory broker, cached token), so they are answered in the call that read them. What runs
before the first wait is not inside a Task: code that needs one (a user's handler) must be started with `in_task`.
"""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any, TypeVar

from hubbub.telemetry.logging import get_logger

T = TypeVar("T")
log = get_logger("hubbub.hub")


@types.coroutine
def rest(coroutine: Coroutine[Any, Any, T], waiting: Any) -> Generator[Any, Any, T]:
    """What is left of a coroutine whose first `send` has yielded `waiting`, to be awaited."""
    try:
        while True:
            try:
                value = yield waiting
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:
                waiting = coroutine.throw(error)
            else:
                waiting = coroutine.send(value)
    except StopIteration as stop:
        result: T = stop.value
        return result


async def _wrap(coroutine: Coroutine[Any, Any, T], waiting: Any) -> T:
    return await rest(coroutine, waiting)


def start(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """None if `coroutine` ended at once; otherwise the task that finishes it. Its exceptions are the caller's."""
    try:
        waiting = coroutine.send(None)
    except StopIteration:
        return None
    return asyncio.get_running_loop().create_task(_wrap(coroutine, waiting))


class Pump:
    """Runs coroutines that begin with an application's code, and so must be in a task from their first step.

    A task for each would cost more than most of them do. One task takes all that come in a turn of the loop, one
    after the other; as soon as one waits, the task is that one's alone, and another goes on with the others. Each
    has a copy of the context of its own, as in a task of its own.
    """

    __slots__ = ("_ready", "_scheduled", "_tasks")

    def __init__(self) -> None:
        self._ready: deque[Coroutine[Any, Any, None]] = deque()
        self._scheduled = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> bool:
        """Whether something is to be run in the next turn."""
        return self._scheduled

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run `coroutine` in the next turn of the loop. It should not raise."""
        self._ready.append(coroutine)
        if not self._scheduled:
            self._schedule()

    async def stop(self) -> None:
        """End what still runs, and forget what has not begun."""
        self._forget()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __del__(self) -> None:
        self._forget()  # lest coroutines complain that nobody awaited them

    def _forget(self) -> None:
        while self._ready:
            self._ready.popleft().close()

    def _schedule(self) -> None:
        self._scheduled = True
        task = asyncio.get_running_loop().create_task(self._work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        ready = self._ready
        while ready:
            coroutine = ready.popleft()
            context = copy_context()
            try:
                waiting = context.run(coroutine.send, None)
            except StopIteration:
                continue
            except BaseException as error:
                log.error("background work failed", exc_info=error)
                continue
            self._scheduled = False
            if ready:
                self._schedule()
            await _rest_within(context, coroutine, waiting)
            return
        self._scheduled = False


@types.coroutine
def _rest_within(
    context: Context, coroutine: Coroutine[Any, Any, None], waiting: Any
) -> Generator[Any, Any, None]:
    """As `rest`, each step in `context`."""
    try:
        while True:
            try:
                value = yield waiting
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:
                waiting = context.run(coroutine.throw, error)
            else:
                waiting = context.run(coroutine.send, value)
    except StopIteration:
        return


async def in_task(function: Callable[..., Awaitable[T]], *args: Any, within: float | None = None) -> T:
    """Await `function(*args)` inside a Task of its own; raises TimeoutError after `within` seconds."""

    async def run() -> T:
        async with asyncio.timeout(within):
            return await function(*args)

    return await asyncio.get_running_loop().create_task(run())
