from __future__ import annotations

import pytest

from hubbub.clock import Clock
from hubbub.testing import FakeClock


def test_is_a_clock() -> None:
    clock: Clock = FakeClock(now=5.0)
    assert clock.now() == 5.0


def test_advance_runs_what_is_due_in_order_of_time_then_of_calling() -> None:
    clock, ran = FakeClock(), list[tuple[str, float]]()
    start = clock.monotonic()
    for name, delay in (("late", 3.0), ("first", 1.0), ("second", 1.0), ("too late", 3.5)):
        clock.call_later(delay, lambda name=name: ran.append((name, clock.monotonic() - start)))  # type: ignore[misc]
    clock.advance(3.0)
    assert ran == [("first", 1.0), ("second", 1.0), ("late", 3.0)]
    assert clock.pending == 1
    clock.advance(0.5)
    assert ran[-1] == ("too late", 3.5)


def test_delay_zero_waits_for_the_next_turn() -> None:
    clock, ran = FakeClock(), list[str]()
    clock.call_later(0.0, lambda: ran.append("a"))
    clock.call_later(-1.0, lambda: ran.append("b"))
    assert ran == []
    clock.run_ready()
    assert ran == ["a", "b"]
    clock.call_later(0.0, lambda: ran.append("c"))
    clock.advance(0.0)
    assert ran == ["a", "b", "c"]


def test_callbacks_may_schedule_more_within_the_same_advance() -> None:
    clock, times = FakeClock(), list[float]()
    start = clock.monotonic()

    def tick() -> None:
        times.append(clock.monotonic() - start)
        clock.call_later(2.0, tick)

    clock.call_later(2.0, tick)
    clock.advance(7.0)
    assert times == [2.0, 4.0, 6.0]
    assert clock.monotonic() == start + 7.0


def test_cancelled_callbacks_do_not_run() -> None:
    clock, ran = FakeClock(), list[str]()
    timer = clock.call_later(1.0, lambda: ran.append("cancelled"))
    done = clock.call_later(1.0, lambda: ran.append("kept"))
    timer.cancel()
    assert (timer.pending, clock.pending) == (False, 1)
    clock.advance(2.0)
    done.cancel()
    assert ran == ["kept"]
    assert clock.pending == 0


def test_wall_time_steps_without_monotonic_time() -> None:
    clock, ran = FakeClock(now=100.0), list[str]()
    clock.call_later(10.0, lambda: ran.append("x"))
    before = clock.monotonic()
    clock.step_wall(3600.0)
    clock.run_ready()
    assert (clock.now(), clock.monotonic(), ran) == (3700.0, before, [])
    clock.advance(1.5)
    assert (clock.now(), clock.monotonic()) == (3701.5, before + 1.5)


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="step back"):
        FakeClock().advance(-0.1)
