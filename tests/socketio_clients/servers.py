"""The server under test: ours, or with HUBBUB_TEST_SOCKETIO=node the reference, Node's Socket.IO (reference.js)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.socketio_clients.app import make

from hubbub.testing.server import running_server

HERE = Path(__file__).parent
REFERENCE = os.environ.get("HUBBUB_TEST_SOCKETIO") == "node"
START_TIMEOUT = 30.0


def node() -> str:
    """Node's path. Raises AssertionError when Node or the packages are not installed."""
    found = shutil.which("node")
    assert found is not None, "install Node 20 or later"
    assert (HERE / "node_modules").is_dir(), "run `npm ci --ignore-scripts` in tests/socketio_clients first"
    return found


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[int]:
    """The application on a free port of loopback, until the end. Options are those of `app.py`'s `make`."""
    async with reference(**options) if REFERENCE else ours(**options) as port:
        yield port


@contextlib.asynccontextmanager
async def reference(**options: Any) -> AsyncIterator[int]:
    arguments = (str(HERE / "reference.js"), json.dumps(options))
    process = await asyncio.create_subprocess_exec(node(), *arguments, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_TIMEOUT):
            line = await process.stdout.readline()
        yield json.loads(line)["port"]
    finally:
        process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def ours(**options: Any) -> AsyncIterator[int]:
    async with running_server(app=make(**options)) as server:
        yield server.port
