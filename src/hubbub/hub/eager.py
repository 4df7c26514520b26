"""Run a coroutine here and now, and make a task only of what is left when it first waits.

Most commands never wait (memory broker, cached token), so they are answered in the call that read them. What runs
before the first wait is not inside a Task: code that needs one (a user's handler) must be started with `in_task`.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


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


def in_new_task(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """All of `coroutine` in a task: the way for what begins with an application's code."""
    return asyncio.get_running_loop().create_task(coroutine)


async def in_task(function: Callable[..., Awaitable[T]], *args: Any, within: float | None = None) -> T:
    """Await `function(*args)` inside a Task of its own; raises TimeoutError after `within` seconds."""

    async def run() -> T:
        async with asyncio.timeout(within):
            return await function(*args)

    return await asyncio.get_running_loop().create_task(run())
