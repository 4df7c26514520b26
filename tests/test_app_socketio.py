"""Socket.IO as the composition root puts it together: mounted, turned off, at another path."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from tests.transports.asgihost import hosted

import socketio  # type: ignore[import-untyped]
from hubbub import Hubbub
from hubbub.config import Config

pytestmark = pytest.mark.anyio


def app(**settings: Any) -> Hubbub:
    made = Hubbub(Config.model_validate({"auth": {"anonymous": True}, "socketio": settings}))

    @made.on("echo", namespace="/")
    async def echo(socket: object, value: Any) -> Any:
        return value

    return made


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
async def test_a_mounted_application_serves_stock_clients_by_every_transport(transports: list[str]) -> None:
    async with hosted(app().asgi) as host:
        address = f"http://{host}"
        client = socketio.AsyncClient()
        await client.connect(address, transports=transports)
        assert await client.call("echo", {"a": b"\x00\xff"}, timeout=10) == {"a": b"\x00\xff"}
        await client.disconnect()


async def test_the_path_is_the_configured_one() -> None:
    async with hosted(app(path="/live/").asgi) as host:
        address = f"http://{host}"
        client = socketio.AsyncClient()
        await client.connect(address, socketio_path="live")
        assert await client.call("echo", 1, timeout=10) == 1
        await client.disconnect()
        async with httpx2.AsyncClient(base_url=address) as http:
            assert (await http.get("/live/?EIO=4&transport=polling")).status_code == 200
            assert (await http.get("/socket.io/?EIO=4&transport=polling")).status_code == 404


async def test_nobody_is_there_when_it_is_turned_off() -> None:
    async with hosted(app(enabled=False).asgi) as host, httpx2.AsyncClient(base_url=f"http://{host}") as http:
        assert (await http.get("/socket.io/?EIO=4&transport=polling")).status_code == 404
