"""The comparison: goals, ratios and the table; and the peers that are there, each doing what is measured."""

from __future__ import annotations

import os

import pytest
from bench.compare import ROWS, Goal, Row, judged, markdown
from bench.servers import NODE, SERVERS, Server, started

from hubbub.loadgen import BenchError, Options, Target, run

CORE = min(os.sched_getaffinity(0))


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


def test_the_loop_in_c_does_what_is_measured() -> None:
    loop = SERVERS["loop"]
    assert loop.prepare() is None, "run `scripts/setup dev` first"
    with started(loop, CORE) as target:
        for scenario in ("connect", "fanout", "echo", "latency"):
            assert not lost_by(loop, target, scenario), scenario


@pytest.mark.parametrize("name", ["hubbub-socketio", "python-socketio", "socketio"])
@pytest.mark.parametrize("polling", [False, True], ids=["websocket", "polling"])
def test_whoever_speaks_socketio_does_what_is_measured(
    name: str, polling: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "bench.servers.STOP_SECONDS", 0.5
    )  # python-socketio waits for polls of those who are gone
    assert name != "socketio" or (NODE / "node_modules").is_dir(), "run `scripts/setup dev` first"
    with started(SERVERS[name], CORE, ("polling",) if polling else ()) as target:
        for scenario in ("poll", "poll-echo") if polling else ("connect", "fanout", "echo"):
            assert not lost_by(SERVERS[name], target, scenario), scenario


def test_hubbub_verifies_the_tokens_of_socketio_clients() -> None:
    with started(SERVERS["hubbub-socketio"], CORE) as target:
        assert (
            run("connect", Options("socketio-token", connections=5), target).figures["connections_per_s"] > 0
        )
        wrong = Target(target.url, secret="0123456789abcdef0123456789abcdef")
        with pytest.raises(BenchError, match="the server says 44"):
            run("connect", Options("socketio-token", connections=5), wrong)


def lost_by(server: Server, target: Target, scenario: str) -> float:
    """How much that `server`, which runs at `target`, should have delivered or held is missing."""
    options = Options(server.protocol, connections=30, in_flight=4, seconds=0.2, warmup=0.0, group=30)
    figures = run(scenario, options, target).figures
    return figures.get("lost", 0) + figures.get("dropped_connections", 0)
