"""What is broken when, and a run in small: one node whose clients come back from each fault with nothing lost."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from bench.faults.checker import check
from bench.faults.history import Attach, Receipt, Send, load
from bench.faults.nemesis import ENDS_EPOCHS, KINDS, possible, schedule
from bench.faults.report import plain, report
from bench.faults.run import WIRES, Settings, people, torture

EVERY = possible(3, broker="redis", partitions=True)
SMALL = Settings(seconds=12.0, nodes=1, database="sqlite", broker="memory", people=8, rate=40.0, calm=0.0)


def test_a_seed_gives_the_same_faults_each_time() -> None:
    kinds = EVERY
    assert schedule(7, 300, kinds, 3) == schedule(7, 300, kinds, 3)
    assert schedule(7, 300, kinds, 3) != schedule(8, 300, kinds, 3)


@pytest.mark.parametrize("seed", range(5))
def test_every_kind_comes_before_any_comes_again(seed: int) -> None:
    faults = schedule(seed, 600, EVERY, 3)
    assert {fault.kind for fault in faults[: len(EVERY)]} == set(EVERY)
    assert {fault.kind for fault in faults[len(EVERY) : 2 * len(EVERY)]} == set(EVERY)
    assert {fault.node for fault in faults} == {0, 1, 2}
    for fault in faults:
        low, high = KINDS[fault.kind].hold
        assert low <= fault.hold <= high
    assert sum(fault.hold + fault.rest + 1 for fault in faults) <= 600


def test_there_is_always_one_fault_and_of_no_kind_none() -> None:
    assert len(schedule(1, 0, ("redis-kill",), 1)) == 1
    assert schedule(1, 100, (), 3) == []


def test_faults_need_what_they_are_about() -> None:
    alone = possible(1, broker="memory", partitions=False)
    assert alone == ("node-kill", "node-pause", "node-restart")
    without = possible(3, broker="redis", partitions=False)
    assert set(EVERY) - set(without) == {"node-cut-from-nodes"}
    others = [set(possible(3, broker=broker, partitions=True)) for broker in ("memory", "nats", "postgresql")]
    assert set(EVERY).union(*others) == set(KINDS)
    assert all(each & set(EVERY) == others[0] for each in others)
    assert {kind.partition("-")[2] for kind in ENDS_EPOCHS} == {"kill", "flush", "readonly"}
    assert not any(kind.startswith("node") for kind in ENDS_EPOCHS)


def test_everybody_is_somewhere_and_some_have_two_devices() -> None:
    crew = people(Settings(people=16), "secret" * 8, ["conversation:c"], ["room:0"])
    assert {person.kind for person in crew} == set(WIRES)
    names = [person.name for person in crew]
    assert len(set(names)) == 16
    assert any(one + "/second" == other for one, other in pairwise(names))
    for person in crew:
        assert ("room:0" in person.channels) == (person.kind != "socketio")


@pytest.mark.timeout(300)
def test_clients_of_one_node_come_back_from_everything(tmp_path: Path) -> None:
    told: list[str] = []
    verdict = torture(SMALL, tmp_path, told.append)
    assert (verdict.word, verdict.anomalies, verdict.short) == ("VALID", {}, ())
    assert sum(text.startswith("  all are there") for text in told) == len(SMALL.faults())
    history = load(tmp_path.glob("*.jsonl"))
    assert {record.p for record in history if isinstance(record, Attach)} == {
        person.name for person in people(SMALL, "secret" * 8, [], [])
    }
    assert any(isinstance(record, Receipt) for record in history)
    assert check([record for record in history if not isinstance(record, Send)]).word == "INVALID"
    assert "**verdict** | VALID" in report("about", {"run": verdict})
    assert plain(verdict)["verdict"] == "VALID"
