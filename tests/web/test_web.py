"""The web app: types, lint, logic, build and size, and the app in a real Chromium.

The browser tests are in JavaScript, beside this file; each file is one test here. They need Node 20 and Chromium
(`CHROMIUM` names another one than Debian's), and `npm ci --ignore-scripts` in `web` and in `tests/browser`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
WEB = ROOT / "web"
TIMEOUT = 300  # seconds, on whatever machine: a file takes 10 to 40 on a quiet one

pytestmark = [pytest.mark.browser, pytest.mark.timeout(TIMEOUT + 30)]


def run(*command: str | Path, cwd: Path = WEB) -> None:
    """Run a command, which must succeed."""
    assert shutil.which("node") is not None, (
        "install Node 20 or later, or leave these out by -m 'not browser'"
    )
    for folder in (WEB, ROOT / "tests" / "browser"):
        assert (folder / "node_modules").is_dir(), f"run `npm ci --ignore-scripts` in {folder} first"
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env={**os.environ, "PYTHON": sys.executable, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def built() -> None:
    """The app as it is now, in the server's package."""
    run(ROOT / "scripts" / "web", cwd=ROOT)


@pytest.mark.parametrize("script", ["types", "lint", "test"])
def test_sources(script: str) -> None:
    run("npm", "run", "--silent", script)


@pytest.mark.usefixtures("built")
def test_the_initial_load_is_small() -> None:
    run("npm", "run", "--silent", "budget")


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("*.test.js")))
def test_in_chromium(name: str) -> None:
    run("node", "--test", "--test-reporter=spec", "--test-timeout=280000", name, cwd=HERE)
