"""The stock client in a real Chromium: chromium.test.js, with a server and a place to load the page from."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.socketio_clients.servers import HERE, REFERENCE, node, serving

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

TIMEOUT = 100


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def pages() -> Iterator[str]:
    """Where this folder is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(HERE))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


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
