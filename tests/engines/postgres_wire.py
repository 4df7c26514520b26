"""A connection of asyncpg's, as far as its end is concerned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Wire:
    def __init__(self) -> None:
        self.closed = False
        self.ended: Callable[[Any], None] = len  # type: ignore[assignment]

    def add_termination_listener(self, callback: Callable[[Any], None]) -> None:
        self.ended = callback

    def is_closed(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        self.closed = True

    def lose(self) -> None:
        """As the network does."""
        self.closed = True
        self.ended(self)
