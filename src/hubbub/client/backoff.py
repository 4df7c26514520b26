"""When to try again: soon and spread at first, so that a herd does not come back as one, then ever more slowly."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST = (0.05, 0.25)
LONGEST = 20.0


def delay(attempt: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
    """Seconds to wait before `attempt`, counted from 1: 50-250 ms, then anything up to twice as much each time (full
    jitter), at most 20 s and never less than 50 ms."""
    low, high = FIRST
    return uniform(low, min(high * 2.0 ** min(attempt - 1, 16), LONGEST))
