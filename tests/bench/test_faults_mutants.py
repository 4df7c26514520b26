"""Can the run of faults fail? Faults are planted into the nodes of a cluster, and each must be found by its name."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bench.faults.run import Settings, torture

MUTANTS = Path(__file__).with_name("faults_mutants.py")
SMALL = Settings(
    seconds=4.0, nodes=2, people=8, conversations=2, rate=80.0, calm=0.5, quiet=0.5, rest=5.0, enough=False
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("mutant", "anomaly", "settings"),
    [
        ("skips-on-join", "SKIP", replace(SMALL, kinds=("node-kill",))),
        ("reordered", "out-of-order delivery", replace(SMALL, kinds=("redis-disconnect",))),
        ("deaf", "SKIP", replace(SMALL, kinds=("redis-reset",))),
        ("deaf-listener", "UNSEEN", replace(SMALL, kinds=("redis-disconnect",))),
        ("forgets-keys", "duplicate", replace(SMALL, kinds=("redis-slow",))),
        (
            "ghosts",
            "presence ghost",
            replace(
                SMALL,
                kinds=("redis-disconnect",),
                calm=8.0,
                people=12,
                rate=16.0,
                conversations=0,
                wires=("native",),
                leaves=0.5,
                long=1.0,
            ),
        ),
    ],
)
def test_a_fault_of_the_nodes_turns_the_run_red(
    mutant: str, anomaly: str, settings: Settings, postgres_url: str, tmp_path: Path
) -> None:
    command = (sys.executable, str(MUTANTS), mutant)
    verdict = torture(replace(settings, command=command, database=postgres_url), tmp_path)
    assert verdict.word == "INVALID"
    assert anomaly in verdict.anomalies
