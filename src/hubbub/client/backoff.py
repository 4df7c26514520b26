"""When to try again: soon and spread at first, so that a herd does not come back as one, then ever more slowly."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

FIRST = (0.05, 0.25)
BOUNDS = (2.0, 20.0)
"""The bound on waits at first, and at last, in seconds."""
PATIENCE = 12.0
"""A bound is this part of the time that trouble has lasted: 5 s after a minute, 20 s after four."""
STABLE = 1.0
"""Seconds after which a connection was a good one: the next attempt is a first one."""


def delay(
    attempt: int, uniform: Callable[[float, float], float] = random.uniform, *, trouble: float = math.inf
) -> float:
    """Seconds to wait before `attempt`, counted from 1: 50-250 ms, then anything up to twice as much each time (full
    jitter), never less than 50 ms.

    The bound is 2 s, and grows with the `trouble`, the seconds since it began: to 5 s within the first minute, and to
    20 s within four. Without `trouble` the 20 s count at once.
    """
    low, high = FIRST
    bound = min(max(trouble / PATIENCE, BOUNDS[0]), BOUNDS[1])
    return uniform(low, min(high * 2.0 ** min(attempt - 1, 16), bound))


class Backoff:
    """The waits of one client, by a clock that nobody sets (`clock`, in seconds)."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._clock = clock
        self._uniform = uniform
        self._attempt = 0
        self._since = 0.0
        self._up: float | None = None

    def connected(self) -> None:
        self._up = self._clock()

    def pause(self, told: float = 0.0) -> float:
        """Seconds until the next attempt, of which the server has `told` some: it has spread its clients already. A
        connection that broke at once was no better than none."""
        now = self._clock()
        if self._up is not None and now - self._up >= STABLE:
            self._attempt = 0
        self._up = None
        if self._attempt == 0:
            self._since = now
        self._attempt += 1
        if told:
            return told + delay(1, self._uniform)
        return delay(self._attempt, self._uniform, trouble=now - self._since)
