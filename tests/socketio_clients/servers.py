"""The server under test: ours, or with HUBBUB_TEST_SOCKETIO=node the reference, Node's Socket.IO (reference.js)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.socketio_clients.app import make
from tests.transports.asgihost import hosted

from hubbub.testing.server import running_server

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
REFERENCE = os.environ.get("HUBBUB_TEST_SOCKETIO") == "node"
START_TIMEOUT = 30.0


def node() -> str:
    """Node's path. Raises AssertionError when Node or the packages are not installed."""
    found = shutil.which("node")
    assert found is not None, "install Node 20 or later"
    assert (HERE / "node_modules").is_dir(), "run `npm ci --ignore-scripts` in tests/socketio_clients first"
    return found


@contextlib.asynccontextmanager
async def serving(*, mounted: bool = False, **options: Any) -> AsyncIterator[int]:
    """The application on a free port of loopback, until the end. Options are those of `app.py`'s `make`; `mounted` has
    plain uvicorn serve it."""
    serve = reference if REFERENCE else under_uvicorn if mounted else ours
    async with serve(**options) as port:
        yield port


@contextlib.asynccontextmanager
async def reference(**options: Any) -> AsyncIterator[int]:
    process, port = await started(node(), str(HERE / "reference.js"), json.dumps(options))
    try:
        yield port
    finally:
        process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def ours(**options: Any) -> AsyncIterator[int]:
    async with running_server(app=make(**options)) as server:
        yield server.port


@contextlib.asynccontextmanager
async def under_uvicorn(**options: Any) -> AsyncIterator[int]:
    async with hosted(make(**options).asgi) as address:
        yield int(address.rpartition(":")[2])


class Process:
    """The application as a process, which may end and come back on its port."""

    def __init__(self, **options: Any) -> None:
        self.port = 0
        self._options = options
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        command = (
            (node(), str(HERE / "reference.js"))
            if REFERENCE
            else (sys.executable, "-m", "tests.socketio_clients.process")
        )
        self._process, self.port = await started(*command, json.dumps({"port": self.port, **self._options}))

    async def end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()

    async def restart(self, number: signal.Signals) -> None:
        await self.end(number)
        await self.start()


async def started(*command: str) -> tuple[asyncio.subprocess.Process, int]:
    """A process that says on which port it listens, in a line of JSON."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    async with asyncio.timeout(START_TIMEOUT):
        line = await process.stdout.readline()
    return process, json.loads(line)["port"]
