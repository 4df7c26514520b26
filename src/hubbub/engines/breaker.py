"""When to try again: what keeps a node from leaning on an engine that does not stand. Pure."""

from __future__ import annotations

from collections.abc import Callable

FIRST = 0.1
LONGEST = 1.0
STEADY = 1.0
"""Seconds a connection must have lasted for what failed before it to be forgotten."""


class Breaker:
    """Closed (`open` is False) while commands are answered. It opens with a failure, and whoever supervises the engine
    tries it alone, after `delay()` seconds each time, until `succeeded`.

    The first delay is up to 0.1 s, then they double up to 1 s; each is between half and all of that, at random by
    `dice` (0 to 1), so that many nodes do not come at once.
    """

    def __init__(self, dice: Callable[[], float]) -> None:
        self.open = True
        self._dice = dice
        self._failures = 0
        self._since = float("-inf")

    def delay(self) -> float:
        """Seconds to wait before the next attempt, after what `failed` has counted."""
        longest = min(LONGEST, FIRST * 2.0 ** max(0, min(self._failures, 10) - 1))
        return longest * (0.5 + 0.5 * self._dice())

    def failed(self, now: float) -> None:
        """An attempt, or what stood until `now` (monotonic seconds), broke."""
        if not self.open and now - self._since >= STEADY:
            self._failures = 0
        self.open = True
        self._failures += 1

    def succeeded(self, now: float) -> None:
        """It answers. What failed before is forgotten when that has lasted."""
        self.open = False
        self._since = now
