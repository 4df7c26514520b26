"""Stock JavaScript clients against a running server: each test plays one file of scenarios/ over one transport."""

from __future__ import annotations

from typing import Any

import pytest
from tests.socketio_clients.playing import stage
from tests.socketio_clients.servers import REFERENCE

pytestmark = pytest.mark.anyio

TRANSPORTS = ("polling", "websocket", "upgrade")
RECOVERY = {"recovery": 10_000}
PLAIN = (
    "connecting",
    "messages",
    "binary",
    "acks",
    "rooms",
    "namespaces",
    "order",
    "closing",
    "reconnecting",
)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("file", PLAIN)
async def test_scenarios(file: str, transport: str) -> None:
    async with stage() as it:
        await it.play(file, transport)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("file", ["messages", "binary", "order", "namespaces"])
async def test_with_the_msgpack_parser(file: str, transport: str) -> None:
    async with stage(parser="msgpack") as it:
        await it.play(file, transport)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_recovery(transport: str) -> None:
    async with stage(**RECOVERY) as it:
        better = "" if REFERENCE else ",better"
        await it.play(f"recovery,order:from_the_first_moment{better}", transport)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("recovery_expiry", {"recovery": 300}),
        ("heartbeats", {"pingInterval": 100, "pingTimeout": 400}),
        ("crowd", {}),
    ],
)
async def test_with_settings_of_their_own(file: str, options: dict[str, Any], transport: str) -> None:
    async with stage(**options) as it:
        await it.play(file, transport)


async def test_on_another_path() -> None:
    async with stage(path="/realtime/v4") as it:
        await it.play("connecting:connects", "upgrade")


@pytest.mark.skipif(REFERENCE, reason="about ASGI")
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_mounted_under_uvicorn(transport: str) -> None:
    async with stage(mounted=True) as it:
        await it.play("connecting,binary,order,closing,reconnecting", transport)
    async with stage(mounted=True, **RECOVERY) as it:
        await it.play("recovery,better", transport)
