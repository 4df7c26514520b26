"""The examples' pages in a real Chromium: pages.test.js, with a server and a place to load the pages from."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.examples.server import EXAMPLES, example_server

HERE = Path(__file__).parent
NODE_MODULES = HERE.parent / "browser" / "node_modules"

pytestmark = pytest.mark.browser


def test_in_chromium(pages: str, tmp_path: Path) -> None:
    node = shutil.which("node")
    assert node is not None, "install Node 20 or later, or deselect these tests with -m 'not browser'"
    assert NODE_MODULES.is_dir(), "run `npm ci --ignore-scripts` in tests/browser first"
    shutil.copy(EXAMPLES / "order_board" / "hubbub.toml", tmp_path)
    origin = ("--set", f"server.allowed_origins={pages}")  # the file names the tutorial's port
    with example_server(tmp_path, "shop:app", *origin) as server:
        done = subprocess.run(
            [node, "--test", "--test-reporter=spec", "pages.test.js"],
            cwd=HERE,
            env={
                **os.environ,
                "SERVER": server.url,
                "PAGES": pages,
                "ADA": server.token("ada"),
                "API_KEY": server.api_key,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stdout
