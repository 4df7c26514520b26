"""Can the crash run fail? Faults are planted into a real server, and each must be found by its name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bench.crash.run import Settings, torture

MUTANTS = Path(__file__).with_name("crash_mutants.py")


FOUND_ONLY_HERE = [
    ("ack-before-commit", "LOST", 2),
    ("no-idempotency", "duplicate", 2),
    ("stammers", "duplicate delivery", 1),
]
FOUND_IN_A_CLUSTER = [
    ("skips-on-join", "SKIP", 2),
    ("reordered", "out-of-order delivery", 1),
    ("deaf", "SKIP", 1),
]
"""`test_faults_mutants.py` has the like of these; here they are found with `--long` alone."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mutant" in metafunc.fixturenames:
        more = FOUND_IN_A_CLUSTER if metafunc.config.getoption("--long") else []
        metafunc.parametrize(("mutant", "anomaly", "kills"), FOUND_ONLY_HERE + more)


@pytest.mark.timeout(300)
def test_a_fault_of_the_server_turns_the_run_red(
    mutant: str, anomaly: str, kills: int, tmp_path: Path
) -> None:
    settings = Settings(
        kills=kills,
        senders=8,
        rate=300.0,
        messages=30,
        longest=0.3,
        rest=5.0,
        command=(sys.executable, str(MUTANTS), mutant),
    )
    verdict = torture("sqlite", settings, tmp_path)
    assert verdict.word == "INVALID"
    assert anomaly in verdict.anomalies
