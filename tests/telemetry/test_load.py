from __future__ import annotations

import math

import pytest

from hubbub.config.cluster import LoadConfig
from hubbub.telemetry.levels import Level, Reading
from hubbub.telemetry.load import INTERVAL, Load, LoadChange
from hubbub.telemetry.metrics import Metrics
from hubbub.testing import FakeClock


class Machine:
    """A node whose measures a test sets, and what was told of its load."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.lag, self.queued, self.share, self.resident = 0.0, 0, 0.0, 0.0
        config = LoadConfig(queue_bytes=1_000, loop_lag=0.2)
        self.load = Load(config, self.clock, self.metrics, lambda: self.lag, lambda: self.queued, self)
        self.told: list[LoadChange] = []
        self.load.changed.append(self.told.append)
        self.load.start()

    def cpu(self) -> float:
        return self.share

    def memory(self) -> float:
        return self.resident


def test_it_looks_once_a_second_until_it_is_stopped() -> None:
    machine = Machine()
    machine.resident = 0.9
    levels = []
    for step in (INTERVAL - 0.001, 0.001):
        machine.clock.advance(step)
        levels.append(machine.load.level)
    machine.load.stop()
    machine.resident = 0.1
    machine.clock.advance(10)
    assert [*levels, machine.load.level] == [Level.NORMAL, Level.OVERLOADED, Level.OVERLOADED]


def test_each_change_is_told_once_with_its_cause() -> None:
    machine = Machine()
    for queued in (500, 720, 730, 960, 660, 640):
        machine.queued = queued
        machine.clock.advance(INTERVAL)
    assert machine.told == [
        LoadChange("busy", "normal", 0.72, "queues"),
        LoadChange("critical", "busy", 0.96, "queues"),
        LoadChange("busy", "critical", 0.66, "queues"),
        LoadChange("normal", "busy", 0.64, "queues"),
    ]


def test_lag_counts_when_it_lasts() -> None:
    machine = Machine()
    machine.lag = 5.0
    machine.clock.advance(INTERVAL)
    machine.lag = 0.0
    machine.clock.advance(30)
    assert machine.told == []
    machine.lag = 0.2
    machine.clock.advance(30)
    assert [change.level for change in machine.told] == ["busy", "overloaded", "critical"]
    assert {change.cause for change in machine.told} == {"loop"}


def test_the_metrics_show_it() -> None:
    machine = Machine()
    machine.share, machine.resident, machine.queued = 0.5, 0.25, 860
    machine.clock.advance(INTERVAL)
    text = machine.metrics.exposition().decode()
    assert 'hubbub_load{measure="cpu"} 0.5' in text
    assert 'hubbub_load{measure="memory"} 0.25' in text
    assert 'hubbub_load{measure="queues"} 0.86' in text
    assert 'hubbub_load{measure="loop"} 0.0' in text
    assert "hubbub_load_level 2.0" in text


def test_one_who_fails_to_hear_it_ends_nothing() -> None:
    machine = Machine()
    machine.load.changed.insert(0, lambda change: 1 / 0)
    machine.queued = 720
    machine.clock.advance(INTERVAL)
    assert len(machine.told) == 1
    machine.queued = 0
    machine.clock.advance(INTERVAL)
    assert len(machine.told) == 2


@pytest.mark.parametrize("level", Level)
def test_the_level_is_known_before_it_is_told(level: Level) -> None:
    machine = Machine()
    seen: list[Level] = []
    machine.load.changed.append(lambda change: seen.append(machine.load.level))
    machine.load.take(Reading(cpu={0: 0.1, 1: 0.7, 2: 0.85, 3: math.inf}[level]))
    assert seen == [level] * (level is not Level.NORMAL)


def test_without_a_double_it_measures_this_process() -> None:
    clock = FakeClock()
    load = Load(LoadConfig(), clock, Metrics(), lambda: 0.0, lambda: 0)
    load.start()
    clock.advance(INTERVAL)
    assert 0 < load.reading.memory < 1
    load.stop()
