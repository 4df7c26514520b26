from __future__ import annotations

import math
import random

from hubbub.client.backoff import BOUNDS, STABLE, Backoff, delay


def least(low: float, high: float) -> float:
    return low


def most(low: float, high: float) -> float:
    return high


def drawn_from(attempt: int, trouble: float = math.inf) -> tuple[float, float]:
    """The range in which the delay before `attempt` lies."""
    return delay(attempt, least, trouble=trouble), delay(attempt, most, trouble=trouble)


def test_the_first_attempt_comes_soon_and_spread() -> None:
    assert drawn_from(1) == (0.05, 0.25)


def test_waits_grow_to_a_bound_and_stay_spread() -> None:
    ranges = [drawn_from(attempt) for attempt in range(1, 200)]
    assert ranges[3] == (0.05, 2.0)
    assert all(high <= BOUNDS[1] and high >= 2 * low for low, high in ranges)
    assert [high for _, high in ranges] == sorted(high for _, high in ranges)
    assert ranges[-1] == (0.05, BOUNDS[1])


def test_the_draw_is_within_the_range() -> None:
    draw = random.Random(1).uniform
    assert all(0.05 <= delay(1, draw) <= 0.25 for _ in range(100))


def test_the_bound_grows_with_the_trouble() -> None:
    assert [drawn_from(attempt, 0.0)[1] for attempt in (1, 2, 3, 4, 5, 99)] == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]
    assert [drawn_from(99, trouble)[1] for trouble in (24, 60, 120, 240, 1e9)] == [2.0, 5.0, 10.0, 20.0, 20.0]


class Time:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_for_a_minute_no_wait_is_longer_than_5_s_and_after_a_while_none_than_20_s() -> None:
    clock = Time()
    backoff = Backoff(clock, most)
    waits: list[tuple[float, float]] = []
    while clock.now < 1_600:
        waits.append((clock.now - 1_000, backoff.pause()))
        clock.now += waits[-1][1]
    assert waits[0][1] == 0.25
    assert max(wait for at, wait in waits if at <= 20) <= 2.0
    assert 4.0 < max(wait for at, wait in waits if at <= 60) <= 5.0
    assert waits[-1][1] == BOUNDS[1]


def test_what_stood_for_a_second_is_come_back_to_at_once_and_what_broke_at_once_ever_later() -> None:
    clock = Time()
    backoff = Backoff(clock, most)

    def wait_after(seconds: float) -> float:
        backoff.connected()
        clock.now += seconds
        return backoff.pause()

    assert [wait_after(STABLE) for _ in range(5)] == [0.25] * 5
    assert [wait_after(STABLE / 2) for _ in range(5)] == [0.5, 1.0, 2.0, 2.0, 2.0]
    assert wait_after(STABLE) == 0.25


def test_what_the_server_tells_is_waited_for_and_spread() -> None:
    backoff = Backoff(Time(), most)
    assert [backoff.pause(7.0), backoff.pause(7.0), backoff.pause()] == [7.25, 7.25, 1.0]
