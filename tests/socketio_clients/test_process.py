"""Stock clients and a server that goes and comes back on its port."""

from __future__ import annotations

import signal

import pytest
from tests.socketio_clients.playing import Stage
from tests.socketio_clients.servers import REFERENCE, Process

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("transport", ["polling", "upgrade"])
async def test_clients_come_back_after_a_restart(transport: str) -> None:
    server = Process(recovery=60_000)
    await server.start()
    try:
        faults = {
            "crash": lambda _: server.restart(signal.SIGKILL),
            "restart": lambda _: server.restart(signal.SIGTERM),
        }
        it = Stage(f"http://127.0.0.1:{server.port}", {"reference": REFERENCE}, faults)
        await it.play("restart", transport)
    finally:
        await server.end(signal.SIGKILL)
