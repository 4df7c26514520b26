"""An application that is made when it is first wanted, so that its libraries do not hold up the server's start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

AsgiApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


class Deferred:
    """An ASGI application in front of what `make` returns. `make` runs once, in a thread: it may import at length."""

    def __init__(self, make: Callable[[], AsgiApp]) -> None:
        self._make = make
        self._made: asyncio.Future[AsgiApp] | None = None

    async def warm(self) -> None:
        """Make it now, if it has not been made. Raises what `make` raises; the next call tries again."""
        await self._application()

    async def _application(self) -> AsgiApp:
        if self._made is None:
            self._made = asyncio.ensure_future(asyncio.to_thread(self._make))
        try:
            # Whoever gives up waiting does not stop it for the others.
            return await asyncio.shield(self._made)
        except Exception:
            self._made = None
            raise

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        app = await self._application()
        await app(scope, receive, send)
