"""The stock client in a real Chromium: chromium.test.js, with a server and a place to load the page from."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
from tests.pages import pages_of
from tests.socketio_clients.servers import HERE, REFERENCE, node, serving

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

TIMEOUT = 100


@pytest.fixture
def pages() -> Iterator[str]:
    """Where this folder is served."""
    with pages_of(HERE) as url:
        yield url


async def test_in_chromium(pages: str) -> None:
    assert (HERE.parent / "browser" / "node_modules").is_dir(), (
        "run `npm ci --ignore-scripts` in tests/browser"
    )
    variables = {"PAGES": pages}
    if not REFERENCE:  # it lets everybody in
        variables["STRANGER"] = pages.replace("127.0.0.1", "localhost")
    async with serving(recovery=60_000, origin=pages) as port:
        process = await asyncio.create_subprocess_exec(
            *(node(), "--test", "--test-reporter=spec", "--test-timeout=60000", "chromium.test.js"),
            cwd=HERE,
            env={**os.environ, **variables, "SERVER": f"http://127.0.0.1:{port}"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(TIMEOUT):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, output.decode()
