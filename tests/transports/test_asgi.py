from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import msgspec
import pytest
import websockets
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.transports.asgihost import hosted
from tests.waiting import until
from websockets.asyncio.client import ClientConnection

from hubbub.app import Hubbub
from hubbub.auth import tokens
from hubbub.config import Config, development

pytestmark = pytest.mark.anyio


class Mounted:
    """A Hubbub below /rt in a Starlette application."""

    def __init__(self, app: Hubbub, address: str) -> None:
        self.app = app
        self.url = f"http://{address}/rt"
        self.websocket = f"ws://{address}/rt/v1/ws"

    def token(self, user: str = "ada") -> str:
        secret = self.app.config.auth.hmac_secret
        assert secret is not None
        return tokens.mint(secret.get_secret_value(), user, now=self.app.clock.now(), ttl=600)

    async def connect(self, socket: ClientConnection, **command: Any) -> Any:
        await socket.send(json.dumps({"type": "connect", "id": 1, **({"token": self.token()} | command)}))
        return json.loads(await socket.recv())


async def to_the_end(socket: ClientConnection) -> None:
    """Read until the connection has ended. Raises ConnectionClosed."""
    while True:
        await socket.recv()


@asynccontextmanager
async def mounted(**sections: Any) -> AsyncIterator[Mounted]:
    app = Hubbub(development(Config(**sections), secrets.token_urlsafe(32)))
    host = Starlette(routes=[Mount("/rt", app.asgi)], lifespan=app.lifespan)
    async with hosted(host) as address:
        yield Mounted(app, address)


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Mounted]:
    async with mounted() as running:
        yield running


async def test_commands_replies_and_pushes(server: Mounted) -> None:
    async with websockets.connect(server.websocket) as socket:
        assert (await server.connect(socket))["user"] == "ada"
        await socket.send(
            '{"type":"subscribe","id":2,"channel":"a","presence":false}\n{"type":"ping","id":3}'
        )
        assert [json.loads(await socket.recv())["id"] for _ in range(2)] == [2, 3]
        await server.app.publish("a", "tick", 1)
        assert json.loads(await socket.recv())["data"] == 1
        assert server.app.metrics.connections["asgi", "native-json"] == 1
    await until(lambda: server.app.metrics.connections["asgi", "native-json"] == 0)
    assert server.app.node.admission.total == 0


async def test_message_pack_by_subprotocol(server: Mounted) -> None:
    subprotocol = websockets.Subprotocol("hubbub.v1.msgpack")
    async with websockets.connect(server.websocket, subprotocols=[subprotocol]) as socket:
        assert socket.subprotocol == subprotocol
        await socket.send(msgspec.msgpack.encode({"type": "connect", "id": 1, "token": server.token()}))
        assert msgspec.msgpack.decode(await socket.recv(decode=False))["user"] == "ada"
        await socket.send("text")
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1003


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("", {"Origin": "https://evil.example"}, 403),
        ("", {"Sec-WebSocket-Protocol": "graphql-ws"}, 400),
        ("/else", {}, 404),
    ],
)
async def test_a_handshake_that_is_refused(
    server: Mounted, path: str, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with websockets.connect(server.websocket + path, additional_headers=headers):
            pass
    assert refused.value.response.status_code == status


@pytest.mark.parametrize(
    ("message", "code"), [("nonsense", 3500), ('{"a":"' + "x" * 70_000 + '"}', 1009), (b"\x00", 1003)]
)
async def test_what_breaks_the_protocol_ends_the_connection(
    server: Mounted, message: str | bytes, code: int
) -> None:
    async with websockets.connect(server.websocket) as socket:
        await server.connect(socket)
        await socket.send(message)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await to_the_end(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code


async def test_a_client_that_says_nothing_is_ended() -> None:
    async with (
        mounted(limits={"handshake_timeout": 0.3}) as server,
        websockets.connect(server.websocket) as socket,
    ):
        assert json.loads(await socket.recv())["code"] == 3005
        with pytest.raises(websockets.ConnectionClosedError):
            await socket.recv()
        assert socket.close_code == 3005


async def test_a_session_resumes_on_a_new_connection(server: Mounted) -> None:
    async with websockets.connect(server.websocket) as socket:
        connected = await server.connect(socket)
        await socket.send('{"type":"subscribe","id":2,"channel":"again","presence":false}')
        position = json.loads(await socket.recv())["position"]
        await socket.close(1001)
    await server.app.publish("again", "tick", 1)
    async with websockets.connect(server.websocket) as socket:
        proof = {
            "session": connected["session"],
            "secret": connected["secret"],
            "positions": {"again": position},
        }
        resumed = await server.connect(socket, token=None, resume=proof)
        assert resumed["recovered"]
        assert resumed["subscriptions"][0]["publications"][0]["data"] == 1


async def test_http_sessions_work_below_the_mount_point(server: Mounted) -> None:
    async with httpx2.AsyncClient(timeout=10) as http:
        answer = await http.post(f"{server.url}/v1/sessions", json={"token": server.token()})
        stream = answer.json()["stream"]
        assert stream["events"].startswith("/rt/v1/sessions/")
        assert server.app.node.admission.total == 1
        headers = {"Hubbub-Session-Secret": answer.json()["secret"]}
        base = server.url.removesuffix("/rt")
        replies = await http.post(
            base + stream["commands"], content='{"type":"ping","id":1}', headers=headers
        )
        assert replies.json()["type"] == "result"
        await http.delete(base + stream["events"].removesuffix("/events"), headers=headers)
        assert server.app.node.admission.total == 0
        assert (await http.get(f"{server.url}/health/live")).status_code == 200


async def test_stopping_ends_every_websocket() -> None:
    async with mounted() as server, websockets.connect(server.websocket) as socket:
        await server.connect(socket)
        await server.app.stop()
        assert json.loads(await socket.recv())["code"] == 3000
        with pytest.raises(websockets.ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 3000


async def test_before_the_start_it_says_how_to_start() -> None:
    app = Hubbub(development(Config(), secrets.token_urlsafe(32)))
    async with hosted(Starlette(routes=[Mount("/rt", app.asgi)])) as address:
        async with httpx2.AsyncClient() as http:
            answer = await http.post(f"http://{address}/rt/v1/sessions", json={})
        assert answer.status_code == 500
        assert "lifespan=hubbub.lifespan" in answer.json()["message"]
        with pytest.raises(websockets.InvalidStatus):
            async with websockets.connect(f"ws://{address}/rt/v1/ws"):
                pass


@pytest.mark.parametrize("by", ["bytes", "time"])
async def test_a_client_that_does_not_read_is_ended(by: str) -> None:
    """Over a fake ASGI: `send` blocks, as a server's does whose socket is full."""
    limits: dict[str, Any] = (
        {"queue_bytes": 20_000}
        if by == "bytes"
        else {
            "write_timeout": 0.3,
            "handshake_timeout": 0.3,
        }
    )
    app = Hubbub(development(Config(limits=limits), secrets.token_urlsafe(32)))
    secret = app.config.auth.hmac_secret
    assert secret is not None
    token = tokens.mint(secret.get_secret_value(), "ada", now=app.clock.now(), ttl=600)
    full, sent = asyncio.Event(), []
    commands = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": json.dumps({"type": "connect", "id": 1, "token": token})},
        {"type": "websocket.receive", "text": '{"type":"subscribe","id":2,"channel":"a"}'},
    ]

    async def receive() -> MutableMapping[str, Any]:
        if commands:
            return commands.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)
        if "tick" in message.get("text", ""):
            full.set()
            await asyncio.Event().wait()

    scope = {
        "type": "websocket",
        "path": "/v1/ws",
        "headers": [],
        "client": ("10.0.0.1", 1),
        "subprotocols": [],
    }
    async with app.lifespan():
        connection = asyncio.create_task(app.asgi(scope, receive, send))
        await until(lambda: "a" in app.hub.channels)
        await app.publish("a", "tick", "x" * 5_000)
        await full.wait()
        for _ in range(5):
            await app.publish("a", "tick", "x" * 5_000)
        await asyncio.wait_for(connection, 10)
        assert app.metrics.disconnects[3002] == 1
        assert app.node.queued_bytes == 0
        assert app.node.admission.total == 0
        assert len(app.hub.detached) == 1
