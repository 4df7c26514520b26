"""Stock clients who come to a node that lets in one at a time: they are refused, and come again by themselves."""

from __future__ import annotations

import pytest
from tests.socketio_clients.app import make
from tests.socketio_clients.playing import Stage, faults
from tests.socketio_clients.servers import REFERENCE

from hubbub.testing.proxy import FaultProxy
from hubbub.testing.server import running_server
from hubbub.transports.door import Turnstile

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(REFERENCE, reason="it is about our door")]


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_they_come_again_by_themselves(transport: str) -> None:
    app = make()
    app.node.door._turnstile = Turnstile(4.0, 1)
    async with running_server(app=app) as server, FaultProxy("127.0.0.1", server.port) as proxy:
        stage = Stage(
            f"http://127.0.0.1:{proxy.port}", {"direct": server.url, "reference": False}, faults(proxy)
        )
        await stage.play("reconnecting:again_and_again", transport)
        assert app.metrics.rejected["handshake_rate"] > 0
