from __future__ import annotations

import random

from hubbub.client.backoff import LONGEST, delay


def drawn_from(attempt: int) -> tuple[float, float]:
    """The range in which the delay before `attempt` lies."""
    return delay(attempt, lambda low, high: low), delay(attempt, lambda low, high: high)


def test_the_first_attempt_comes_soon_and_spread() -> None:
    assert drawn_from(1) == (0.05, 0.25)


def test_waits_grow_to_a_bound_and_stay_spread() -> None:
    ranges = [drawn_from(attempt) for attempt in range(1, 200)]
    assert ranges[3] == (0.05, 2.0)
    assert all(high <= LONGEST and high >= 2 * low for low, high in ranges)
    assert [high for _, high in ranges] == sorted(high for _, high in ranges)
    assert ranges[-1] == (0.05, LONGEST)


def test_the_draw_is_within_the_range() -> None:
    draw = random.Random(1).uniform
    assert all(0.05 <= delay(1, draw) <= 0.25 for _ in range(100))
