"""Waiting for what comes about by itself, and tells nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], within: float = 60.0) -> None:
    """Return when `condition()` is true. Raises TimeoutError after `within` seconds: patience, and no verdict."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 (nothing tells us)
            await asyncio.sleep(0.002)
