"""An example's server in a process of its own, as `hubbub serve` runs it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubbub.auth.tokens import mint

EXAMPLES = Path(__file__).parents[2] / "examples"
START_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class ExampleServer:
    """`url` is its root, `directory` where it runs: commands there find its development keys."""

    url: str
    directory: Path

    @property
    def api_key(self) -> str:
        return self._keys["api_key"]

    def token(self, user: str, **claims: Any) -> str:
        """A token that the server accepts. `claims` as for `hubbub.auth.tokens.mint`."""
        return mint(self._keys["secret"], user, now=time.time(), ttl=600.0, **claims)

    @property
    def _keys(self) -> dict[str, str]:
        keys: dict[str, str] = json.loads((self.directory / ".hubbub" / "dev.json").read_text())
        return keys


def run(command: list[str], directory: Path, **variables: str) -> str:
    """What a program prints. Raises AssertionError, with all that it said, if it fails."""
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextlib.contextmanager
def example_server(directory: Path, *arguments: str) -> Iterator[ExampleServer]:
    """`hubbub serve --dev --port 0 ...` in `directory`, with the examples importable; ended at the end."""
    command = [sys.executable, "-m", "hubbub", "serve", "--dev", "--port", "0", *arguments]
    path = os.pathsep.join((str(EXAMPLES), str(EXAMPLES / "order_board")))
    process = subprocess.Popen(
        command,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield ExampleServer(_address(process), directory)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _address(process: subprocess.Popen[str]) -> str:
    """The address that the server prints once it listens; it is killed, and so ends, if that takes too long."""
    assert process.stdout is not None
    watchdog = threading.Timer(START_TIMEOUT, process.kill)
    watchdog.start()
    said = ""
    try:
        for line in process.stdout:
            said += line
            if found := re.search(r"address +(http://\S+)", line):
                return found[1]
    finally:
        watchdog.cancel()
    raise AssertionError(f"the server did not start:\n{said}")
