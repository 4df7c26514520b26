"""How the connection stands, and a value that can be watched."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, Self, TypeVar
from weakref import WeakSet

T = TypeVar("T")
Transport = Literal["websocket", "sse", "polling"]
Status = Literal["idle", "connecting", "connected", "recovering", "offline", "failed", "closed"]
KEPT = 1_000
"""Changes that wait for a watcher; of more than these the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class State:
    """How the connection stands.

    `connecting`: for the first time (`attempt` counts from 1). `connected`: by `transport`, as `user`, in `session`;
    `resumed` says whether that is the session of before. `recovering`: it was lost for `reason`, and the next `attempt`
    is at `retry_at` (Unix seconds by this machine's clock). `offline` is the same, where this machine has no network.
    `failed`: it will not come back, for `error`. `closed`: the client was left.
    """

    status: Status = "idle"
    attempt: int = 0
    reason: str = ""
    retry_at: float | None = None
    transport: Transport | None = None
    session: str = ""
    user: str = ""
    resumed: bool = False
    error: Exception | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing comes after it."""
        return self.status in ("failed", "closed")


class Watched(Generic[T]):
    """A value, and whoever wants to know when it changes."""

    def __init__(self, value: T) -> None:
        self._value = value
        self._watchers: WeakSet[Changes[T]] = WeakSet()  # who does not look any more is forgotten

    @property
    def value(self) -> T:
        """As it is now."""
        return self._value

    def set(self, value: T) -> None:
        """Change it; whoever watches is told, unless it is what it was."""
        if value != self._value:
            self._value = value
            for watcher in tuple(self._watchers):
                watcher.tell(value)

    def changes(self, last: Callable[[T], bool] = lambda value: False) -> Changes[T]:
        """What it is, and then each change, in order; the first for which `last` holds is the end."""
        watcher = Changes(self._value, last)
        self._watchers.add(watcher)
        return watcher

    async def until(self, condition: Callable[[T], bool]) -> T:
        """Wait for a value for which `condition` holds."""
        async for value in self.changes():
            if condition(value):
                return value
        raise AssertionError("unreachable")


class Changes(Generic[T]):
    """An iteration of a Watched, from the moment on in which it was asked for."""

    def __init__(self, first: T, last: Callable[[T], bool]) -> None:
        self._told: deque[T] = deque((first,), maxlen=KEPT)
        self._last = last
        self._ended = False
        self._waiting: asyncio.Future[None] | None = None

    def tell(self, value: T) -> None:
        """It has changed."""
        self._told.append(value)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self._ended:
            raise StopAsyncIteration
        while not self._told:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        value = self._told.popleft()
        self._ended = self._last(value)
        return value
