"""The native protocol on WebSockets: messages and their faults, order, and a pause behind slow commands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets
from tests.waiting import until

from hubbub import Hubbub, Session
from hubbub.config import Config, development
from hubbub.testing.raw import BINARY, CLOSE, TEXT, RawClient, masked
from hubbub.testing.server import RunningServer, running_server
from hubbub.transports.link import WebSocketLink

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[RunningServer]:
    async with running_server() as running:
        yield running


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[RawClient]:
    async with await RawClient.open(server.host, server.port) as raw:
        await raw.connect(server.token())
        yield raw


def ping(size: int) -> bytes:
    """A `ping` command of exactly `size` bytes."""
    command = b'{"type":"ping","id":7}'
    return command[:-1] + b" " * (size - len(command)) + b"}"


@pytest.mark.parametrize(
    "message",
    [b"", b"{", b"[]", b"null", b'"x"', b"NaN", b'{"type":"ping","id":1}}', b"{" * 3000, b"\xef\xbb\xbf{}"],
)
async def test_a_message_that_is_not_a_json_object(
    server: RunningServer, client: RawClient, message: bytes
) -> None:
    await client.send(masked(TEXT, message) + masked(TEXT, ping(30)))
    assert (await client.read_json())["type"] == "error"
    if message in (b"[]", b"null", b'"x"'):  # JSON, but no command
        assert (await client.read_json())["type"] == "result"
        return
    push = await client.read_json()
    assert (push["type"], push["code"], push["reconnect"]) == ("disconnect", 3500, False)
    assert (await client.read_frame()).code == 3500
    await client.send(masked(CLOSE, b"\x0d\xac"))
    assert await client.read_end() == "closed"


async def test_a_binary_frame_is_not_json(client: RawClient) -> None:
    await client.send(masked(BINARY, ping(30)))
    error = await client.read_json()
    assert error["type"] == "error"
    assert "text frames" in error["message"]
    assert (await client.read_close()).code == 3500


async def test_a_text_frame_is_not_messagepack(server: RunningServer) -> None:
    async with await RawClient.open(server.host, server.port) as client:
        await client.upgrade(headers={"Sec-WebSocket-Protocol": "hubbub.v1.msgpack"})
        await client.send(masked(TEXT, ping(30)))
        assert (await client.read_close()).code == 3500


async def test_the_first_command_is_connect(server: RunningServer) -> None:
    async with await RawClient.open(server.host, server.port) as client:
        await client.upgrade()
        await client.send(masked(TEXT, ping(30)))
        assert (await client.read_json())["name"] == "unauthenticated"
        await client.send_json({"type": "connect", "id": 1, "token": "nonsense"})
        assert (await client.read_json())["name"] == "invalid_token"
        assert (await client.read_json())["code"] == 3501
        assert (await client.read_close()).code == 3501


# --- order ------------------------------------------------------------------------------------------------


async def test_pipelined_commands_are_answered_in_order() -> None:
    async with (
        running_server(limits={"command_rate": 0}) as server,
        await RawClient.open(server.host, server.port) as client,
    ):
        await client.connect(server.token())
        await client.send_json(*({"type": "ping", "id": id} for id in range(1, 1001)))
        assert [(await client.read_json())["id"] for _ in range(1000)] == list(range(1, 1001))


async def test_replies_and_pushes_come_in_the_order_of_their_causes(server: RunningServer) -> None:
    """Whoever publishes with an echo gets each publication once, in order, and each answer once, in order."""
    async with await RawClient.open(server.host, server.port) as client:
        await client.connect(server.token(), "news")
        await client.send_json(
            *(
                {"type": "publish", "id": id, "channel": "news", "event": "e", "data": id, "echo": True}
                for id in range(1, 101)
            )
        )
        answers: list[Any] = []
        pushes: list[Any] = []
        while len(answers) < 100 or len(pushes) < 100:
            received = await client.read_json()
            if received["type"] in ("published", "publication"):
                (answers if received["type"] == "published" else pushes).append(received)
    assert [each["id"] for each in answers] == list(range(1, 101))
    assert [each["data"] for each in pushes] == list(range(1, 101))
    assert [each["offset"] for each in pushes] == [each["position"]["offset"] for each in answers]


async def test_reading_pauses_behind_a_slow_command() -> None:
    """What a client sends behind a slow command waits in its own socket, not in our memory; and none is lost."""
    app = Hubbub(development(Config(limits={"pending_commands": 4, "command_rate": 0}), "s" * 32))
    go = asyncio.Event()

    @app.on("slow")
    async def slow(session: Session) -> None:
        await go.wait()

    async with (
        running_server(app=app) as server,
        await RawClient.open(server.host, server.port) as client,
    ):
        await client.connect(server.token())
        await client.send_json({"type": "call", "id": 1, "method": "slow", "params": {}})
        sending = asyncio.create_task(
            client.send_slowly(
                [masked(TEXT, json.dumps({"type": "ping", "id": id}).encode()) for id in range(2, 302)]
            )
        )
        metrics = server.app.metrics
        await sending
        await until(lambda: metrics.rejected["pending_commands"])
        [connection] = server.app.node.websockets
        assert isinstance(connection, WebSocketLink)
        assert connection._socket is not None
        assert not connection._socket.is_reading()
        assert metrics.messages_in < 300
        go.set()
        assert [(await client.read_json())["id"] for _ in range(301)] == list(range(1, 302))
        assert metrics.messages_in == 302


async def test_real_clients_speak_with_it() -> None:
    async with running_server(compression={"enabled": True, "minimum": 10}) as server:
        for compression in ("deflate", None):
            async with websockets.connect(
                server.websocket_url,
                subprotocols=[websockets.Subprotocol("hubbub.v1.json")],
                compression=compression,
            ) as client:
                assert client.subprotocol == "hubbub.v1.json"
                await client.send(json.dumps({"type": "connect", "id": 1, "token": server.token()}))
                assert json.loads(await client.recv())["type"] == "connected"
                await client.send(json.dumps({"type": "ping", "id": 2}))
                assert json.loads(await client.recv())["type"] == "result"
                await client.ping()
            assert client.close_code == 1000
