"""python-socketio's Client, on requests and websocket-client, against a running server."""

from __future__ import annotations

import sys

import pytest
from tests.socketio_clients.playing import stage
from tests.socketio_clients.servers import HERE, REFERENCE

pytestmark = pytest.mark.anyio

# The reference answers a poll with more packets than this client takes, and adds offsets for all when it recovers.
SKIPPED = ("takes_a_burst",) if REFERENCE else ()
OPTIONS = {} if REFERENCE else {"recovery": 60_000}


@pytest.mark.parametrize("transport", ["polling", "websocket", "upgrade"])
async def test_scenarios(transport: str) -> None:
    async with stage(**OPTIONS) as it:
        await it.run(sys.executable, str(HERE / "sync_client.py"), it.url, transport, *SKIPPED)
