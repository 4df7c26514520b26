"""`hubbub demo`, as a process of its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.cli.conftest import Command

WITHIN = 90


def start(folder: Path, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """The process when it listens, and its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hubbub", "demo", "--port", "0", "--quiet", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"Ada +(http://\S+)/\?as=ada", line):
            return process, found[1]
    raise AssertionError(f"it ended with {process.wait()}")


def stop(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=WITHIN)
    assert process.returncode == 0
    return said


def test_a_workspace_is_made_and_can_be_kept(tmp_path: Path) -> None:
    process, url = start(tmp_path, "--messages", "50", "--conversations", "2")
    with urllib.request.urlopen(f"{url}/health/ready", timeout=WITHIN) as answer:
        assert answer.status == 200
    assert stop(process).endswith("Stopped.\n")
    database = tmp_path / ".hubbub" / "demo" / "hubbub.db"
    made = database.stat().st_ino
    process, _ = start(tmp_path, "--keep")
    stop(process)
    assert database.stat().st_ino == made
    assert (tmp_path / ".hubbub" / ".gitignore").read_text() == "*\n"


def test_other_databases_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "hubbub.toml").write_text('[storage]\nurl = "sqlite:///ours.db"\n')
    process, _ = start(tmp_path)
    stop(process)
    assert not (tmp_path / "ours.db").exists()


def test_too_much_is_refused(hubbub: Command) -> None:
    outcome = hubbub("demo", "--messages", "2000000")
    assert outcome.status == 2
    assert "1000000" in outcome.err
