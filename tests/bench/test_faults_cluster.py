"""A short run of faults over three nodes, Redis and PostgreSQL, as `scripts/faults` has them: nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = "node-kill,redis-kill,node-restart,redis-disconnect,redis-readonly,node-cut-from-nodes"


@pytest.mark.timeout(400)  # on a machine that may be busy: it waits for what happens, and does not hope
def test_nothing_is_lost_whatever_is_broken(tmp_path: Path) -> None:
    found = tmp_path / "verdict.json"
    command = [
        *(sys.executable, "-m", "bench.faults", "--seed", "1", "--seconds", "26", "--nodes", "3"),
        *("--people", "12", "--rate", "40", "--calm", "6", "--faults", FAULTS, "--json", str(found)),
        *("--keep", str(tmp_path / "kept")),
    ]
    with (tmp_path / "out").open("w") as out:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False)
    assert found.exists(), (tmp_path / "out").read_text()[-4000:]
    verdict = json.loads(found.read_text())
    found_wrong = (verdict["verdict"], verdict["anomalies"], verdict["too_few"])
    assert (status.returncode, *found_wrong) == (0, "VALID", {}, [])
    kinds = {name for name in verdict["counts"] if name.startswith("faults: ")}
    assert len(kinds) >= 3
    assert verdict["counts"]["resumes"] > 0
    assert verdict["counts"]["presence"] > 0
