from __future__ import annotations

import httpx2
import pytest
import websockets

from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio


async def test_serves_http_and_websockets_on_a_port_of_its_own() -> None:
    async with running_server() as first, running_server() as second:
        assert first.port != second.port
        async with httpx2.AsyncClient() as http:
            assert (await http.get(f"{first.url}/health/live")).status_code == 200
        async with websockets.connect(first.websocket_url) as socket:
            await socket.send(f'{{"type":"connect","id":1,"token":"{first.token("ada")}"}}')
            assert '"user":"ada"' in str(await socket.recv())


async def test_a_token_of_another_server_is_refused() -> None:
    async with (
        running_server() as server,
        running_server() as other,
        websockets.connect(server.websocket_url) as socket,
    ):
        await socket.send(f'{{"type":"connect","id":1,"token":"{other.token()}"}}')
        assert '"code":102' in str(await socket.recv())


async def test_sections_change_the_development_settings() -> None:
    async with running_server(limits={"subscriptions": 3}) as server:
        assert server.app.config.limits.subscriptions == 3
        assert server.app.config.default.retention == 100
