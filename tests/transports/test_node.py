from __future__ import annotations

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hub.world import World

from hubbub.telemetry.metrics import Metrics
from hubbub.testing import FakeClock
from hubbub.transports.node import FLUSH_SLICE, TICK, Newcomers, Node, Weakly, Wheel, jittered


class Heart:
    """Beats every `period` seconds, `left` times."""

    def __init__(self, clock: FakeClock, period: float = 1.0, left: int = 1_000_000) -> None:
        self.clock = clock
        self.period = period
        self.left = left
        self.beats: list[float] = []

    def beat(self, now: float) -> float | None:
        self.beats.append(now)
        self.left -= 1
        return now + self.period if self.left > 0 else None


class StallingClock(FakeClock):
    """A clock that can jump past its timers, as time does while the loop is blocked."""

    def stall(self, seconds: float) -> None:
        self._monotonic += seconds


def entries(wheel: Wheel) -> int:
    return sum(len(slot) for slot in wheel._slots.values())


@given(st.floats(0, 20))
def test_nobody_is_called_early_and_nobody_late_by_more_than_a_tick(delay: float) -> None:
    clock = FakeClock()
    wheel = Wheel(clock, Metrics())
    wheel.start()
    heart = Heart(clock, left=1)
    at = clock.monotonic() + delay
    wheel.add(heart, at)
    clock.advance(21)
    (when,) = heart.beats
    assert at <= when <= at + 2 * TICK


def test_whoever_wants_no_more_is_forgotten() -> None:
    clock = FakeClock()
    wheel = Wheel(clock, Metrics())
    wheel.start()
    hearts = [Heart(clock, left=2) for _ in range(100)]
    for heart in hearts:
        wheel.add(heart, clock.monotonic())
    assert entries(wheel) == 100
    clock.advance(10)
    assert {len(heart.beats) for heart in hearts} == {2}
    assert wheel._slots == {}


def test_each_has_one_entry_however_long_it_lasts() -> None:
    clock = FakeClock()
    wheel = Wheel(clock, Metrics())
    wheel.start()
    hearts = [Heart(clock) for _ in range(10)]
    for heart in hearts:
        wheel.add(heart, clock.monotonic())
    for _ in range(50):
        clock.advance(1)
        assert entries(wheel) == 10
    assert all(len(set(heart.beats)) == len(heart.beats) for heart in hearts)


@pytest.mark.parametrize(("blocked", "judged"), [(0.5, True), (3.0, False), (30.0, False)])
def test_a_loop_that_was_blocked_judges_nobody_for_it(blocked: float, judged: bool) -> None:
    clock = StallingClock()
    metrics = Metrics()
    wheel = Wheel(clock, metrics)
    wheel.start()
    heart = Heart(clock, left=1)
    wheel.add(heart, clock.monotonic() + blocked)
    clock.stall(blocked + 0.5)
    clock.run_ready()
    assert bool(heart.beats) is judged
    assert metrics.loop_lag_max_seconds == pytest.approx(blocked + 0.5 - TICK)
    clock.advance(blocked + 1)
    assert len(heart.beats) == 1  # put off once, and once only


def test_one_that_fails_takes_no_other_with_it() -> None:
    clock = FakeClock()
    wheel = Wheel(clock, Metrics())
    wheel.start()

    class Broken:
        def beat(self, now: float) -> float | None:
            raise RuntimeError("a fault of one connection")

    heart = Heart(clock)
    wheel.add(Broken(), clock.monotonic())
    wheel.add(heart, clock.monotonic())
    clock.advance(5)
    assert len(heart.beats) >= 4


def test_stopping_leaves_no_timer_and_starting_again_makes_one() -> None:
    clock = FakeClock()
    wheel = Wheel(clock, Metrics())
    for _ in range(3):
        wheel.start()
        wheel.add(Heart(clock), clock.monotonic())
        clock.advance(0.1)
        assert clock.pending == 1
        wheel.stop()
        assert clock.pending == 0
        assert wheel._slots == {}


def test_jitter_only_shortens_and_by_a_tenth_at_most() -> None:
    values = [jittered(10.0) for _ in range(200)]
    assert all(9.0 <= value <= 10.0 for value in values)
    assert len(set(values)) > 100


# --- the flush ------------------------------------------------------------------------------------------------


class Outbox:
    def __init__(self, node: Node | None = None, *, broken: bool = False) -> None:
        self.flushes = 0
        self.node = node
        self.broken = broken

    def flush(self) -> None:
        self.flushes += 1
        if self.broken:
            raise RuntimeError("a fault of one connection")
        if self.node is not None and self.flushes == 1:
            self.node.dirty(self)


def test_what_is_dirty_is_flushed_once_at_the_end_of_the_turn() -> None:
    world = World()
    node = Node(world.config, world.clock, world.hub, {})
    boxes = [Outbox() for _ in range(3)]
    for box in boxes:
        node.dirty(box)
    assert world.clock.pending == 1
    assert [box.flushes for box in boxes] == [0, 0, 0]
    world.clock.run_ready()
    assert [box.flushes for box in boxes] == [1, 1, 1]
    assert world.clock.pending == 0


def test_what_becomes_dirty_in_a_flush_is_flushed_in_the_next_turn() -> None:
    world = World()
    node = Node(world.config, world.clock, world.hub, {})
    box = Outbox(node)
    node.dirty(box)
    world.clock.run_ready()
    assert box.flushes == 2


def test_events_that_have_been_read_are_handled_before_the_flush() -> None:
    world = World()
    node = Node(world.config, world.clock, world.hub, {})
    box = Outbox()
    world.hub.pump._scheduled = True  # an event is to be handled in the next turn
    node.dirty(box)
    turns: list[int] = []

    def look() -> None:
        turns.append(box.flushes)

    world.clock.call_later(0, look)
    world.clock.run_ready()
    assert turns == [0]
    assert box.flushes == 1  # once is enough, whatever else comes
    assert world.clock.pending == 0


def test_many_are_flushed_in_slices_and_all_before_those_that_come_later() -> None:
    world = World()
    node = Node(world.config, world.clock, world.hub, {})
    boxes, late = [Outbox() for _ in range(2 * FLUSH_SLICE + 1)], Outbox()
    for box in boxes:
        node.dirty(box)
    node.metrics.delivering(world.clock.monotonic())
    seen: list[tuple[int, int, int]] = []

    def look() -> None:
        flushed = sum(node.metrics.delivery_seconds.counts)
        seen.append((sum(box.flushes for box in boxes), late.flushes, flushed))
        if len(seen) == 1:
            node.dirty(late)
        if len(seen) < 4:
            world.clock.call_later(0, look)

    world.clock.call_later(0, look)
    world.clock.run_ready()
    every = len(boxes)
    assert seen == [(FLUSH_SLICE, 0, 0), (2 * FLUSH_SLICE, 0, 0), (every, 0, 1), (every, 1, 1)]
    assert world.clock.pending == 0


def test_a_flush_that_fails_does_not_keep_the_others_waiting() -> None:
    world = World()
    node = Node(world.config, world.clock, world.hub, {})
    broken, box = Outbox(broken=True), Outbox()
    node.dirty(broken)
    node.dirty(box)
    node.metrics.delivering(world.clock.monotonic())
    world.clock.run_ready()
    assert box.flushes == 1
    assert sum(node.metrics.delivery_seconds.counts) == 1


# --- newcomers ------------------------------------------------------------------------------------------------


class Stranger:
    def __init__(self) -> None:
        self.anonymous = True


def test_newcomers_are_those_who_have_neither_said_who_they_are_nor_gone() -> None:
    newcomers, strangers = Newcomers(), [Stranger() for _ in range(5)]
    for stranger in strangers:
        newcomers.add(stranger)
        newcomers.add(stranger)
    assert len(newcomers) == 5
    strangers[0].anonymous = False
    newcomers.discard(strangers[1])
    newcomers.discard(strangers[1])
    assert len(newcomers) == 3
    newcomers.discard(strangers[0])
    assert len(newcomers) == 3


@pytest.mark.parametrize(("count", "crowded"), [(2, False), (3, True), (4, True)])
def test_newcomers_have_a_limit(count: int, crowded: bool) -> None:
    world = World(limits={"unauthenticated": 3})
    node = Node(world.config, world.clock, world.hub, {})
    known, strangers = [Stranger() for _ in range(10)], [Stranger() for _ in range(count)]
    for each in (*known, *strangers):
        node.newcomers.add(each)
    for each in known:
        each.anonymous = False
    assert node.crowded() is crowded
    assert node.metrics.rejected["unauthenticated"] == crowded
    strangers[0].anonymous = False
    assert node.crowded() is (count > 3)


# --- what the wheel does not keep alive -----------------------------------------------------------------------


class Member:
    def __init__(self) -> None:
        self.beats: list[float] = []

    def beat(self, now: float) -> float | None:
        self.beats.append(now)
        return now + 1


def test_a_weak_entry_beats_as_long_as_somebody_else_needs_its_member() -> None:
    member = Member()
    weakly = Weakly(member)
    assert weakly.beat(5.0) == 6.0
    assert member.beats == [5.0]
    del member
    gc.collect()
    assert weakly.beat(6.0) is None


def test_the_lag_is_what_any_moment_waits_for() -> None:
    clock = StallingClock()
    wheel = Wheel(clock, Metrics())
    wheel.start()
    clock.advance(1)
    assert wheel.take_lag() == pytest.approx(0)
    clock.stall(
        0.5 + TICK
    )  # half of the next second nothing turns, so half of its moments wait, some for as long
    clock.advance(0.5)
    assert wheel.take_lag() == pytest.approx(0.25, abs=0.03)
    for _ in range(10):
        clock.stall(0.3)
        clock.advance(0)
    assert wheel.take_lag() == pytest.approx(0.275, abs=0.01), "all moments wait"
    assert wheel.take_lag() == 0
