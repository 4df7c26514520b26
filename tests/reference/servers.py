"""The two servers that are compared: the reference (server.cjs, with Node's Socket.IO) and ours (app.py).

HUBBUB_TEST_SUBJECT names another subject than ours: `reference` for a second process of it (which proves that the
cases are repeatable), or the URL of a server that runs already, for the cases that need no options.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.reference.app import make
from tests.reference.table import Case, Options
from tests.reference.wire import Wire

from hubbub.testing.server import running_server

HERE = Path(__file__).parent
PACKAGES = HERE.parent / "socketio_clients" / "node_modules"
SUBJECT = os.environ.get("HUBBUB_TEST_SUBJECT", "")


class References:
    """Processes of the reference, one for each set of options."""

    def __init__(self) -> None:
        self._running: dict[Options, tuple[subprocess.Popen[str], int]] = {}

    def port(self, options: Options) -> int:
        """The port of the one with these options; started when it is first asked for."""
        if options not in self._running:
            node = shutil.which("node")
            assert node is not None, "install Node 20 or later"
            assert PACKAGES.is_dir(), "run `npm ci --ignore-scripts` in tests/socketio_clients first"
            process = subprocess.Popen(
                [node, str(HERE / "server.cjs"), json.dumps(options.for_node())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            self._running[options] = process, int(process.stdout.readline())
        return self._running[options][1]

    def stop(self) -> None:
        for process, _ in self._running.values():
            process.communicate(timeout=10)


@contextlib.asynccontextmanager
async def subject(options: Options, references: References) -> AsyncIterator[tuple[str, int]]:
    """Host and port of what is held against the reference."""
    if SUBJECT == "reference":
        yield "127.0.0.1", references.port(options)
    elif SUBJECT:
        if options != Options():
            pytest.skip("needs a server with options")
        url = urlsplit(SUBJECT)
        yield url.hostname or "127.0.0.1", url.port or 80
    else:
        async with running_server(app=make(options)) as server:
            yield server.host, server.port


@contextlib.asynccontextmanager
async def wired(references: References, **options: Any) -> AsyncIterator[Wire]:
    """The subject with these options, ready to be talked to."""
    async with subject(Options(**options), references) as (host, port):
        wire = Wire(host, port)
        try:
            yield wire
        finally:
            wire.close()


async def play(case: Case, host: str, port: int) -> list[str]:
    """What the case sees of a server."""
    wire = Wire(host, port)
    try:
        await case.play(wire)
    except TimeoutError:
        wire.see("nothing more comes")
    except (EOFError, ConnectionError, AssertionError, ValueError, KeyError) as error:
        wire.see(f"it breaks off: {error!r}")
    finally:
        wire.close()
        await asyncio.sleep(0)
    return wire.seen
