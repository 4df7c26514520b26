"""What the measures need: the app as it is now, a server with a workspace, and Chromium's driver."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import hubbub.web
from hubbub.loadgen import BenchError
from hubbub.loadgen.target import free_port

ROOT: Final = Path(__file__).parents[2]
DRIVER: Final = ROOT / "tests" / "browser" / "node_modules"
STATIC: Final = Path(hubbub.web.__file__).parent / "static"
SCRIPT: Final = Path(__file__).parent / "browser" / "run.mjs"
START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 10.0


def prepare() -> None:
    """Build the app if a source is newer. Raises BenchError if something is not installed."""
    if shutil.which("node") is None:
        raise BenchError("needs Node 20 or later")
    if not DRIVER.is_dir():
        raise BenchError("run `npm ci --ignore-scripts` in tests/browser first")
    subprocess.run([ROOT / "scripts" / "web"], check=True)
    if not (STATIC / "index.html").exists():
        raise BenchError("the web app is not built")


@contextlib.contextmanager
def demo(conversations: int, messages: int) -> Iterator[str]:
    """`hubbub demo` in a folder of its own, as long as the block lasts; its address, without a slash at the end.

    Settings in the environment do not reach it.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")}
    with tempfile.TemporaryDirectory(prefix="hubbub-web-bench-") as folder:
        log = Path(folder) / "log"
        size = ["--conversations", str(conversations), "--messages", str(messages)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "hubbub", "demo", "--quiet", *size, "--port", str(free_port())],
                cwd=folder,
                env={**environment, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield _address(process, log)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        said = log.read_text(encoding="utf-8", errors="replace")
        if found := re.search(r"(http://\S+)/\?as=bob", said):
            return found[1]
        if process.poll() is not None:
            raise BenchError(f"the server ended with status {process.returncode}:\n{said}")
        time.sleep(0.05)
    raise BenchError(f"the server was not ready within {START_SECONDS:g} s")


def measure(url: str, measures: Mapping[str, Mapping[str, Any]], seconds: float) -> dict[str, Any]:
    """Run these in Chromium; figures by measure. Raises BenchError if one fails, or all take longer than `seconds`."""
    plan = {"url": url, "manifest": str(STATIC / "manifest.json"), "measures": measures}
    try:
        done = subprocess.run(
            ["node", str(SCRIPT), json.dumps(plan)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"Chromium was not done within {seconds:g} s") from error
    if done.returncode != 0:
        raise BenchError(f"the measures in Chromium ended with status {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
