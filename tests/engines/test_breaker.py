from __future__ import annotations

from hubbub.engines.breaker import Breaker


def delays(breaker: Breaker, count: int, now: float = 0.0) -> list[float]:
    found = []
    for _ in range(count):
        breaker.failed(now)
        found.append(breaker.delay())
    return found


def test_delays_double_up_to_a_second() -> None:
    assert delays(Breaker(lambda: 1.0), 6) == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert delays(Breaker(lambda: 0.0), 6) == [0.05, 0.1, 0.2, 0.4, 0.5, 0.5]
    assert delays(Breaker(lambda: 1.0), 2_000)[-1] == 1.0


def test_it_is_closed_while_it_answers() -> None:
    breaker = Breaker(lambda: 1.0)
    assert breaker.open
    breaker.succeeded(0.0)
    assert not breaker.open
    breaker.failed(5.0)
    assert breaker.open


def test_what_lasted_forgets_and_what_flaps_does_not() -> None:
    breaker = Breaker(lambda: 1.0)
    delays(breaker, 4)
    breaker.succeeded(10.0)
    breaker.failed(10.5)
    assert breaker.delay() == 1.0
    breaker.succeeded(20.0)
    breaker.failed(21.0)
    assert breaker.delay() == 0.1
