"""Can the crash run fail? Faults are planted into a real server, and each must be found by its name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bench.crash.run import Settings, torture

MUTANTS = Path(__file__).with_name("crash_mutants.py")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("mutant", "anomaly"),
    [
        ("ack-before-commit", "LOST"),
        ("no-idempotency", "duplicate"),
        ("skips-on-join", "SKIP"),
        ("reordered", "out-of-order delivery"),
        ("deaf", "SKIP"),
        ("stammers", "duplicate delivery"),
    ],
)
def test_a_fault_of_the_server_turns_the_run_red(mutant: str, anomaly: str, tmp_path: Path) -> None:
    settings = Settings(
        kills=2,
        senders=8,
        rate=300.0,
        messages=30,
        longest=0.3,
        command=(sys.executable, str(MUTANTS), mutant),
    )
    verdict = torture("sqlite", settings, tmp_path)
    assert verdict.word == "INVALID"
    assert anomaly in verdict.anomalies
