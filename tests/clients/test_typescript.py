"""The TypeScript client: types and lint, build, sizes, what is published, and its own tests against the real server.

They need Node 20 and `npm ci --ignore-scripts` in `clients/typescript`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CLIENT = ROOT / "clients" / "typescript"
TIMEOUT = 900.0  # a folder of tests starts many servers, on whatever machine

pytestmark = pytest.mark.timeout(TIMEOUT + 60)


def npm(script: str, *arguments: str) -> None:
    """Run a script of the package, which must succeed."""
    command = shutil.which("npm")
    assert command is not None, "install Node 20 or later with npm"
    assert (CLIENT / "node_modules").is_dir(), "run `npm ci --ignore-scripts` in clients/typescript first"
    done = subprocess.run(
        [command, "run", "--silent", script, "--", *arguments],
        cwd=CLIENT,
        env={**os.environ, "HUBBUB_VENV": sys.prefix, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def built() -> None:
    npm("build")


def test_types_and_lint() -> None:
    npm("check")


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("script", ["size", "exports"])
def test_what_is_published(script: str) -> None:
    npm(script)


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("folder", sorted({path.parent.name for path in CLIENT.glob("test/*/*.test.ts*")}))
def test_behaviour(folder: str) -> None:
    npm("test", f"test/{folder}/")
