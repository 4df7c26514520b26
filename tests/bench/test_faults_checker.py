"""The checker, by histories that a model wrote: sound ones are VALID, each planted bug is found by its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bench.faults.checker import Floors, check
from bench.faults.history import (
    AnyRecord,
    Attach,
    End,
    Final,
    Leave,
    Moving,
    Presence,
    Recv,
    Send,
    Stuck,
    Writer,
    load,
)
from tests.bench.faults_model import BUGS, RULES, Model

GROUPS = 3
SEEDS = tuple(tuple(range(30))[group::GROUPS] for group in range(GROUPS))
"""In groups, so that several workers share them."""
ENOUGH = Floors(acked=100, delivered=200, resumes=10, retried=3, reads=10, faults={"server": 1})


@pytest.mark.parametrize("seed", range(30))
def test_a_sound_history_is_valid_and_not_empty(seed: int) -> None:
    floors = Floors(acked=100, delivered=200, resumes=1, retried=1, reads=1, presence=10, receipts=5)
    verdict = check(Model(seed).history(), floors, RULES)
    assert (verdict.word, verdict.anomalies, verdict.short) == ("VALID", {}, ())


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize(("bug", "anomaly"), BUGS.items())
def test_a_planted_bug_is_reported_by_its_name(bug: str, anomaly: str, seeds: tuple[int, ...]) -> None:
    found = 0
    for seed in seeds:
        verdict = check(Model(seed, bug).history(), rules=RULES)
        assert anomaly not in verdict.anomalies or verdict.word == "INVALID"
        found += anomaly in verdict.anomalies
    assert found >= 0.9 * len(seeds)


def test_too_little_is_unknown_and_never_valid() -> None:
    verdict = check([], Floors(acked=1))
    assert verdict.word == "UNKNOWN"
    assert verdict.short == ("acknowledged: 0 of 1",)
    short = check(Model(1).history(), Floors(faults={"database": 2}), RULES)
    assert (short.word, short.short) == ("UNKNOWN", ("faults: database: 0 of 2",))
    assert check(Model(1).history(), ENOUGH, RULES).word == "VALID"


def test_without_a_final_read_nothing_is_known() -> None:
    history = [record for record in Model(2).history() if not isinstance(record, Final)]
    assert check(history, rules=RULES).word == "UNKNOWN"


def test_an_anomaly_counts_for_more_than_too_little_of_it() -> None:
    assert check(Model(3, "lost").history(), Floors(acked=10**9), RULES).word == "INVALID"


def test_a_declared_gap_may_be_allowed() -> None:
    history = Model(4, "gap").history()
    assert set(check(history, rules=RULES).anomalies) == {"declared gap"}
    allowed = check(history, rules=replace(RULES, gaps=True))
    assert allowed.word == "VALID"
    assert allowed.counts["declared gaps"] > 0


def test_an_attempt_without_an_outcome_may_be_stored_once_or_not_at_all() -> None:
    sends: list[AnyRecord] = [
        Send(1.0, p="a", ch="c", ph="inv", op=1, id="a:1"),
        Send(2.0, p="a", ch="c", ph="info", op=1, id="a:1"),
    ]
    for items in ((), ((1, "a:1"),)):
        verdict = check([*sends, Final(3.0, ch="c", epoch="e", base=0, items=items)])
        assert verdict.word == "VALID"
        assert verdict.counts["indeterminate"] == 1
    sends.append(Final(3.0, ch="c", epoch="e", base=0, items=((1, "a:1"), (2, "a:1"))))
    assert "duplicate in final" in check(sends).anomalies


def test_what_was_delivered_and_is_nowhere_is_a_phantom() -> None:
    history: list[AnyRecord] = [
        Attach(1.0, p="a", ch="c", pos=0, epoch="e"),
        Recv(2.0, p="a", ch="c", seq=1, id="b:1"),
        End(3.0, p="a"),
    ]
    assert "phantom delivered" in check(history).anomalies


def test_who_is_about_to_move_may_be_seen_or_not() -> None:
    there: list[AnyRecord] = [Attach(1.0, p="a", ch="c", pos=0, epoch="e")]
    leaves: list[AnyRecord] = [Moving(10.0, p="a", ch="c"), Leave(11.0, p="a", ch="c")]
    comes: list[AnyRecord] = [
        Moving(20.0, p="a", ch="c"),
        Attach(21.0, p="a", ch="c", pos=0, epoch="e"),
        End(99.0, p="a"),
    ]

    def wrong(asked: float, told: float, *members: str) -> set[str]:
        seen = Presence(asked, ch="c", members=members, told=told)
        return set(check([*there, *leaves, *comes, seen], rules=replace(RULES, presence_grace=2.0)).anomalies)

    for told in (9.9, 10.1, 11.1):
        assert wrong(9.8, told, "a") == set()
    assert wrong(9.8, 9.9) == {"presence missing"}
    assert wrong(9.8, 10.1) == set(), "it had asked to leave before that was answered"
    assert wrong(13.1, 19.9, "a") == {"presence ghost"}
    assert wrong(13.1, 20.1, "a") == set(), "it had asked to come before that was answered"
    assert wrong(23.1, 23.2) == {"presence missing"}


def test_recovery_takes_until_the_place_that_was_named() -> None:
    verdict = check(Model(5).history(), rules=RULES)
    assert 0 < verdict.times["recovery p50"] <= verdict.times["recovery max"]
    assert verdict.times["ack p50"] > 0


def test_histories_of_several_processes_become_one(tmp_path: Path) -> None:
    history = Model(6).history()
    writers = [Writer(tmp_path / f"{number}.jsonl") for number in range(2)]
    for number, record in enumerate(history):
        writers[number % 2].write(record)
    for writer in writers:
        writer.close()
    assert load(tmp_path.glob("*.jsonl")) == history


def test_a_run_that_was_given_up_is_invalid() -> None:
    verdict = check([*Model(7).history(), Stuck(10**6, why="nobody came back")], rules=RULES)
    assert verdict.anomalies == {"stuck": (1, "nobody came back")}
