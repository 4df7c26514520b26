"""kill -9 in small: a few clients, a few kills, both databases. Everything acknowledged is there once, in order."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.chat.servers import DATABASES, Database
from bench.crash.run import Settings, people, torture
from bench.faults.checker import check
from bench.faults.history import Attach, Send, load
from bench.faults.report import report

SMALL = Settings(kills=2, senders=5, rate=150.0, messages=30, workers=2, longest=0.3)


@pytest.mark.timeout(300)  # servers are started again and again, on a machine that may be busy
@pytest.mark.parametrize("database", DATABASES)
def test_nothing_acknowledged_is_lost_by_kills(database: Database, tmp_path: Path) -> None:
    verdict = torture(database, SMALL, tmp_path)
    assert (verdict.word, verdict.anomalies, verdict.short) == ("VALID", {}, ())
    assert verdict.counts["acknowledged"] >= SMALL.kills * SMALL.messages
    assert verdict.counts["delivered"] == SMALL.senders * verdict.counts["stored"]
    assert verdict.counts["resumes"] >= SMALL.senders
    assert sum(verdict.counts.get(f"faults: {kind}", 0) for kind in ("server", "database")) == SMALL.kills
    assert database == "sqlite" or verdict.counts["faults: database"] == 1
    history = load(tmp_path.glob("*.jsonl"))
    assert {record.p for record in history if isinstance(record, Attach)} == {f"p{n}" for n in range(5)}
    assert check([record for record in history if not isinstance(record, Send)]).word == "INVALID"
    assert "**verdict** | VALID" in report("about", {database: verdict})


def test_all_ways_in_are_taken() -> None:
    kinds, places = people(Settings())
    assert {kinds.count(kind) for kind in ("socketio", "stream")} == {4}
    assert kinds.count("native") == 12
    assert {len(mine) for mine in places} == {2}
    assert len(people(Settings(senders=5))[1]) == 5
