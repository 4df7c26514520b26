"""The comparison: goals, ratios and the table; and the C peer, where it can be built."""

from __future__ import annotations

import os
import shutil

import pytest
from bench.compare import ROWS, Goal, Row, judged, markdown
from bench.servers import SERVERS, started

from hubbub.loadgen import Options, run


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (Goal("x", 1.4), 1.4, True),
        (Goal("x", 1.4), 1.39, False),
        (Goal("x", 10.0, most=True), 10.0, True),
        (Goal("x", 10.0, most=True), 10.1, False),
    ],
)
def test_a_goal_is_met_at_its_limit_and_not_beyond(goal: Goal, value: float, met: bool) -> None:
    assert goal.met(value) is met


def test_a_ratio_is_of_medians_and_keeps_both_figures() -> None:
    found = {
        "echo": {
            "hubbub": {"acks_per_s": [10.0, 90.0, 50.0], "server_each_us": [4.0]},
            "socketio": {"acks_per_s": [100.0, 20.0, 40.0], "server_each_us": [6.0]},
        }
    }
    [entry] = judged(found)
    assert (entry["ours"], entry["peer_value"], entry["value"]) == (50.0, 40.0, 1.25)
    assert entry["by_processor_time"] == 1.5
    assert entry["met"]
    table = markdown([entry], found, "about")
    assert "| 50 | socketio 40 | 1.25 × | 1.5 × | ≥ 1 × | reached |" in table


def test_a_goal_without_its_figures_is_left_out() -> None:
    assert judged({"echo": {"hubbub": {"acks_per_s": [1.0]}}}) == []
    assert judged({"echo": {"socketio": {"acks_per_s": [1.0]}}}) == []


def test_a_missed_goal_is_said() -> None:
    entries = judged({"stall": {"hubbub": {"p99_ratio": [1.2], "gone_after_s": [9.0]}}})
    assert [entry["met"] for entry in entries] == [False, True]
    assert "**missed**" in markdown(entries, {}, "about")


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_rows_name_servers_that_exist(row: Row) -> None:
    named = {*row.servers, *(goal.peer for goal in row.goals if goal.peer)}
    assert named <= set(SERVERS)
    assert row.servers[0] == row.ours
    assert row.ours in ("hubbub", "hubbub-socketio")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize("scenario", ["connect", "fanout", "echo", "latency"])
def test_the_loop_in_c_does_what_is_measured(scenario: str) -> None:
    loop = SERVERS["loop"]
    assert loop.prepare() is None
    options = Options("plain", connections=30, in_flight=4, seconds=0.2, warmup=0.0, group=30)
    with started(loop, min(os.sched_getaffinity(0))) as target:
        figures = run(scenario, options, target).figures
    assert figures.get("lost", 0) == figures.get("dropped_connections", 0) == 0
