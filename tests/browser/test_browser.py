"""The web app's page for developers in a real Chromium, on a server without conversations.

The tests are in JavaScript, beside this file; each file is one test here. They need Node 20, Chromium (`CHROMIUM`
names another one than Debian's), and `npm ci --ignore-scripts` in this directory and in `web`.
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
TIMEOUT = 300  # seconds, on whatever machine

pytestmark = [pytest.mark.browser, pytest.mark.timeout(TIMEOUT + 30)]


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """The app as it is now, in the server's package."""
    subprocess.run([ROOT / "scripts" / "web"], cwd=ROOT, timeout=TIMEOUT, check=True)


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("*.test.js")))
def test_in_chromium(name: str) -> None:
    node = shutil.which("node")
    assert node is not None, "install Node 20 or later, or deselect these tests with -m 'not browser'"
    assert (HERE / "node_modules").is_dir(), "run `npm ci --ignore-scripts` in tests/browser first"
    done = subprocess.run(
        [node, "--test", "--test-reporter=spec", "--test-timeout=280000", name],
        cwd=HERE,
        env={**os.environ, "PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
