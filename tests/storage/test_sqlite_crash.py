from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.storage.sqlite_case import read

from hubbub.storage.sqlite import connect

ROOT = Path(__file__).parents[2]


def test_what_was_acknowledged_before_a_kill_is_there_once_and_in_order(tmp_path: Path) -> None:
    path, acknowledged = tmp_path / "hubbub.db", {}
    for run in range(5):
        command = [sys.executable, "-m", "tests.storage.killed", str(path), str(run)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                data, _, seq = line.rstrip("\n").partition(" ")
                if not line.endswith("\n"):
                    break  # cut off by the kill
                assert data not in acknowledged
                acknowledged[data] = int(seq)
                if len(acknowledged) == 400 * (run + 1) + 37 * run:
                    process.kill()
    assert len(acknowledged) >= 2000
    _, rows = read(path)
    assert [seq for seq, _ in rows] == [*range(1, len(rows) + 1)]
    stored = {data: seq for seq, data in rows}
    assert len(stored) == len(rows)
    assert {data: stored.get(data) for data in acknowledged} == acknowledged
    assert len(rows) - len(acknowledged) <= 5 * 50, "no more than what was under way"
    with closing(connect(path, "ro", 1.0)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
