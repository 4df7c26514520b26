from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.config.cluster import LoadConfig
from hubbub.telemetry.levels import (
    MOST,
    NOTHING,
    SHEDDING,
    WORDS,
    Level,
    Reading,
    Thresholds,
    lowered,
    smoothed,
)

THRESHOLDS = Thresholds(0.70, 0.85, 0.95, 0.05)
BEGINS = {Level.NORMAL: 0.0, Level.BUSY: 0.70, Level.OVERLOADED: 0.85, Level.CRITICAL: 0.95}
loads = st.floats(0, 3)
levels = st.sampled_from(Level)


@pytest.mark.parametrize(
    ("load", "level"),
    [
        (0.0, Level.NORMAL),
        (0.699, Level.NORMAL),
        (0.70, Level.BUSY),
        (0.701, Level.BUSY),
        (0.849, Level.BUSY),
        (0.85, Level.OVERLOADED),
        (0.851, Level.OVERLOADED),
        (0.949, Level.OVERLOADED),
        (0.95, Level.CRITICAL),
        (2.0, Level.CRITICAL),
    ],
)
def test_a_level_begins_at_its_threshold(load: float, level: Level) -> None:
    assert THRESHOLDS.next(Level.NORMAL, load) is level
    assert THRESHOLDS.reached(load) is level


@pytest.mark.parametrize(
    ("level", "load", "after"),
    [
        (Level.BUSY, 0.66, Level.BUSY),
        (Level.BUSY, 0.651, Level.BUSY),
        (Level.BUSY, 0.649, Level.NORMAL),
        (Level.OVERLOADED, 0.801, Level.OVERLOADED),
        (Level.OVERLOADED, 0.799, Level.BUSY),
        (Level.CRITICAL, 0.901, Level.CRITICAL),
        (Level.CRITICAL, 0.899, Level.OVERLOADED),
        (Level.CRITICAL, 0.70, Level.BUSY),
        (Level.CRITICAL, 0.66, Level.BUSY),
        (Level.CRITICAL, 0.1, Level.NORMAL),
    ],
)
def test_a_level_ends_a_little_below_it(level: Level, load: float, after: Level) -> None:
    assert THRESHOLDS.next(level, load) is after


@given(levels, loads)
def test_a_level_is_never_below_what_the_load_has_reached(level: Level, load: float) -> None:
    assert THRESHOLDS.next(level, load) >= THRESHOLDS.reached(load)


@given(levels, loads)
def test_a_level_rises_only_to_what_was_reached_and_holds_only_within_the_hysteresis(
    level: Level, load: float
) -> None:
    after = THRESHOLDS.next(level, load)
    assert after <= max(level, THRESHOLDS.reached(load))
    if after > THRESHOLDS.reached(load):
        assert BEGINS[after] - 0.05 <= load < BEGINS[after]


@given(levels, loads)
def test_the_same_load_twice_changes_nothing(level: Level, load: float) -> None:
    once = THRESHOLDS.next(level, load)
    assert THRESHOLDS.next(once, load) is once


@given(levels, loads, loads)
def test_more_load_is_never_a_lower_level(level: Level, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert THRESHOLDS.next(level, low) <= THRESHOLDS.next(level, high)


@given(st.sampled_from((0.70, 0.85, 0.95)), st.lists(st.floats(-0.049, 0.049), min_size=2, max_size=50))
def test_a_load_that_swings_around_a_threshold_changes_the_level_once_at_the_most(
    threshold: float, swings: list[float]
) -> None:
    level = THRESHOLDS.reached(threshold - 0.049)
    changes = 0
    for swing in swings:
        after = THRESHOLDS.next(level, threshold + swing * 0.5)
        changes += after is not level
        level = after
    assert changes <= 1


@given(st.floats(0, 2), st.floats(0, 10), st.floats(0, 100), st.floats(0.1, 60))
def test_an_average_stays_between_what_it_was_and_what_is_new(
    old: float, new: float, elapsed: float, span: float
) -> None:
    after = smoothed(old, new, elapsed, span)
    low, high = sorted((old, min(new, MOST)))
    assert low - 1e-9 <= after <= high + 1e-9


@given(st.floats(0, 2), st.floats(0, 2), st.floats(0, 5), st.floats(0, 5))
def test_two_looks_at_the_same_are_as_one(old: float, new: float, first: float, second: float) -> None:
    twice = smoothed(smoothed(old, new, first, 3.0), new, second, 3.0)
    assert twice == pytest.approx(smoothed(old, new, first + second, 3.0))


def test_a_stall_is_no_overload_and_stalls_without_end_are_one() -> None:
    once = smoothed(0.0, 1_000.0, 1.0, 3.0)  # however long it was
    assert THRESHOLDS.reached(once) is Level.NORMAL
    again = smoothed(once, 1_000.0, 1.0, 3.0)
    assert THRESHOLDS.reached(again) is Level.CRITICAL


def test_the_load_is_that_of_the_fullest() -> None:
    reading = Reading(loop=0.1, cpu=0.4, memory=0.6, queues=0.2)
    assert (reading.load, reading.cause) == (0.6, "memory")
    assert Reading(queues=0.1).cause == "queues"


def test_the_table_names_every_level_and_each_gives_up_what_the_one_before_it_does() -> None:
    assert [level.word for level in Level] == list(WORDS)
    assert list(SHEDDING) == list(Level)
    assert SHEDDING[Level.NORMAL] == NOTHING
    for before, after in zip(SHEDDING.values(), list(SHEDDING.values())[1:], strict=False):
        assert after != before
        assert after.typing >= before.typing
        assert after.presence >= before.presence
        assert after.receipts >= before.receipts
        assert after.history <= before.history
        assert after.anonymous >= before.anonymous
        assert after.new >= before.new
    assert not SHEDDING[Level.OVERLOADED].new, "that is the last thing"
    assert not math.isinf(SHEDDING[Level.CRITICAL].receipts), "they are told later, but told"


@given(st.integers(0, 10_000), st.floats(0.001, 2))
def test_a_lowered_limit_is_never_higher_and_never_nothing(limit: int, share: float) -> None:
    assert 0 <= lowered(limit, share) <= limit
    assert (lowered(limit, share) == 0) == (limit == 0)
    assert lowered(limit, 1.0) == limit


def test_the_settings_are_the_thresholds() -> None:
    config = LoadConfig()
    assert Thresholds() == Thresholds(config.busy, config.overloaded, config.critical, config.hysteresis)
