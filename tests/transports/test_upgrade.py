"""From a request to a WebSocket: the handshake, the checks that hold at every path, and endpoints of several kinds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from tests.waiting import until

from hubbub.errors import NORMAL, Disconnect
from hubbub.protocols.base import Framing, Payload
from hubbub.testing.raw import KEY, TEXT, RawClient, Response, masked, request
from hubbub.testing.server import RunningServer, running_server
from hubbub.transports import framing as wire
from hubbub.transports.frames import FrameParser
from hubbub.transports.handshake import HandshakeError
from hubbub.transports.link import WebSocketLink
from hubbub.transports.node import Node
from hubbub.transports.upgrade import Open, Refusal, UpgradeRequest, find, target

pytestmark = pytest.mark.anyio

PING = masked(9, b"there")


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[RunningServer]:
    async with running_server(server={"allowed_origins": ("https://app.example.com",)}) as running:
        yield running


async def ask(server: RunningServer, data: bytes, source: str | None = None) -> Response:
    async with await RawClient.open(server.host, server.port, source=source) as client:
        await client.send(data)
        response = await client.read_response()
        if response.status not in (101, 200):
            assert await client.read_end() == "closed"
        return response


# --- the handshake ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "headers", "subprotocol"),
    [
        ("/v1/ws", {}, None),
        ("/v1/ws?token=x", {}, None),
        ("http://localhost/v1/ws", {}, None),
        ("/v1/ws", {"connection": "keep-alive, Upgrade"}, None),
        ("/v1/ws", {"connection": "Upgrade\r\nConnection: keep-alive"}, None),
        ("/v1/ws", {"upgrade": "WebSocket"}, None),
        ("/v1/ws", {"sec-websocket-protocol": "hubbub.v1.json"}, "hubbub.v1.json"),
        ("/v1/ws", {"sec-websocket-protocol": "hubbub.v1.msgpack"}, "hubbub.v1.msgpack"),
        ("/v1/ws", {"sec-websocket-protocol": "x, hubbub.v1.msgpack, hubbub.v1.json"}, "hubbub.v1.msgpack"),
        ("/v1/ws", {"sec-websocket-extensions": "permessage-deflate"}, None),
    ],
)
async def test_takes_a_handshake(
    server: RunningServer, path: str, headers: dict[str, str | None], subprotocol: str | None
) -> None:
    async with await RawClient.open(server.host, server.port) as client:
        response = await client.upgrade(path, headers)
        assert response.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert response.headers.get("sec-websocket-protocol") == subprotocol
        assert "sec-websocket-extensions" not in response.headers
        await client.send(PING)
        assert (await client.read_frame()).payload == b"there"


@pytest.mark.parametrize(
    ("changes", "headers", "status", "answer"),
    [
        ({"method": "POST"}, {}, 405, {"allow": "GET"}),
        ({"method": "HEAD"}, {}, 405, {"allow": "GET"}),
        ({"version": "1.0"}, {}, 505, {}),
        ({}, {"sec-websocket-key": None}, 400, {}),
        ({}, {"sec-websocket-key": "dGhlIHNhbXBsZQ=="}, 400, {}),
        ({}, {"sec-websocket-key": f"{KEY}\r\nSec-WebSocket-Key: {KEY}"}, 400, {}),
        ({}, {"sec-websocket-version": "12"}, 426, {"sec-websocket-version": "13"}),
        ({}, {"sec-websocket-version": None}, 426, {"sec-websocket-version": "13"}),
        ({}, {"sec-websocket-protocol": "graphql-ws"}, 400, {}),
        ({}, {"host": None}, 400, {}),
        ({}, {"host": "a\r\nHost: b"}, 400, {}),
        ({}, {"host": "evil.example\r\nX-Forwarded-Host: localhost", "origin": "http://localhost"}, 403, {}),
        ({"path": "/v1/websocket"}, {}, 404, {}),
        ({"path": "/v1/ws/"}, {}, 404, {}),
        ({"path": "http://[::1"}, {}, 404, {}),
        ({"path": "*"}, {}, 404, {}),
        ({}, {"content-length": "5"}, 400, {}),
    ],
)
async def test_refuses_a_handshake(
    server: RunningServer,
    changes: dict[str, str],
    headers: dict[str, str | None],
    status: int,
    answer: dict[str, str],
) -> None:
    response = await ask(server, request(headers=headers, **changes))
    assert response.status == status
    assert response.headers["connection"] == "close"
    assert {name: response.headers.get(name) for name in answer} == answer


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://localhost:8000", True),
        ("http://LOCALHOST:8000", True),
        ("https://app.example.com", True),
        ("https://APP.example.com:443", True),
        ("null", False),
        ("https://evil.com", False),
        ("http://localhost", False),
        ("https://localhost:8000", False),
        ("https://app.example.com.evil.com", False),
        ("https://evilapp.example.com", False),
        ("http://app.example.com", False),
        ("https://app.example.com:8443", False),
        ("https://app.example.com.", False),
        ("https://app.example.com https://evil.com", False),
        ("https://app.example.com\r\nOrigin: https://evil.com", False),
        ("", False),
    ],
)
async def test_judges_the_origin(server: RunningServer, origin: str | None, allowed: bool) -> None:
    response = await ask(server, request(headers={"host": "localhost:8000", "origin": origin}))
    assert response.status == (101 if allowed else 403)


# --- endpoints --------------------------------------------------------------------------------------------


class Echo(WebSocketLink):
    """Sends each message back; ends in silence."""

    __slots__ = ("framing",)
    counted = False

    def __init__(
        self, node: Node, transport: asyncio.Transport, framing: Framing, parser: FrameParser, address: str
    ) -> None:
        self.framing = framing
        super().__init__(
            node, transport, parser, address=address, protocol="echo", due=node.clock.monotonic() + 60
        )

    @property
    def anonymous(self) -> bool:
        return False

    def _message(self, data: bytes, binary: bool) -> None:
        self.write(self.framing((Payload(data, binary),)))

    def _idle_beat(self, transport: asyncio.Transport, now: float) -> float:
        return now + 60

    def _farewell(self, reason: Disconnect, text: str) -> Sequence[bytes]:
        return (wire.close_frame(reason.code, text),)

    def _detach(self, reason: Disconnect | None, *, resumable: bool) -> None:
        pass


class Echoes:
    """An endpoint. `refuse` is raised in the judgement, `greet` is called with each link that was made."""

    def __init__(
        self,
        node: Node,
        *,
        subprotocols: Sequence[str] | None = (),
        refuse: HandshakeError | None = None,
        greet: Callable[[Echo], None] = lambda link: None,
    ) -> None:
        self.node = node
        self.subprotocols = subprotocols
        self.message_bytes = 100
        self.refuse = refuse
        self.greet = greet
        self.requests: list[UpgradeRequest] = []
        self.opened = 0

    def judge(self, request: UpgradeRequest, subprotocol: str | None) -> Open:
        self.requests.append(request)
        if self.refuse is not None:
            raise self.refuse

        def connect(transport: asyncio.Transport, framing: Framing, parser: FrameParser) -> Echo:
            self.opened += 1
            link = Echo(self.node, transport, framing, parser, request.address)
            self.greet(link)
            return link

        return connect


@contextlib.asynccontextmanager
async def echoing(
    *,
    subprotocols: Sequence[str] | None = (),
    refuse: HandshakeError | None = None,
    greet: Callable[[Echo], None] = lambda link: None,
    **sections: Any,
) -> AsyncIterator[tuple[RunningServer, Echoes]]:
    """A server with echoes at `/echo/`; afterwards no place of an address is left behind."""
    async with running_server(**sections) as server:
        node = server.app.node
        endpoint = Echoes(node, subprotocols=subprotocols, refuse=refuse, greet=greet)
        node.upgrades[b"/echo/"] = endpoint
        yield server, endpoint
        await until(lambda: not node.admission.total)
        assert not node.admission._addresses
        assert not node.websockets


@pytest.mark.parametrize(
    ("url", "path", "query"),
    [
        (b"/v1/ws", b"/v1/ws", b""),
        (b"/v1/ws?", b"/v1/ws", b""),
        (b"/a/?EIO=4&transport=websocket&sid=a%20b", b"/a/", b"EIO=4&transport=websocket&sid=a%20b"),
        (b"http://localhost/a?b=c", b"/a", b"b=c"),
        (b"http://[::1", None, b""),
    ],
)
def test_the_path_and_query_of_a_target(url: bytes, path: bytes | None, query: bytes) -> None:
    assert target(url) == (path, query)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (b"/v1/ws", b"/v1/ws"),
        (b"/v1/ws/", None),
        (b"/v1/wsx", None),
        (b"/echo/", b"/echo/"),
        (b"/echo/below", b"/echo/"),
        (b"/echo", None),
        (b"/echoes", None),
        (b"", None),
        (None, None),
    ],
)
def test_a_slash_at_the_end_takes_all_below(path: bytes | None, place: bytes | None) -> None:
    node: Any = None
    endpoints = {b"/v1/ws": Echoes(node), b"/echo/": Echoes(node)}
    assert find(endpoints, path) is (endpoints[place] if place else None)


async def test_an_endpoint_sees_the_request_and_makes_the_connection() -> None:
    async with echoing() as (server, endpoint), await RawClient.open(server.host, server.port) as client:
        await client.upgrade("/echo/below?EIO=4&sid=x", {"user-agent": "tester"})
        await client.send(masked(TEXT, b"hello"))
        assert (await client.read_frame()).payload == b"hello"
        (seen,) = endpoint.requests
        assert (seen.path, seen.query) == (b"/echo/below", b"EIO=4&sid=x")
        info = seen.info("echo")
        assert (info.transport, info.protocol, info.user_agent) == ("websocket", "echo", "tester")
        assert ("user-agent", "tester") in info.headers
        metrics = server.app.metrics
        assert metrics.connections_total() == 0  # not counted: what stands behind the link may be
        assert len(server.app.node.websockets) == 1
        native = await RawClient.open(server.host, server.port)
        await native.connect(server.token())
        assert metrics.connections_total() == 1
        native.close()


async def test_an_endpoint_has_its_own_limit_of_messages() -> None:
    async with echoing() as (server, _), await RawClient.open(server.host, server.port) as client:
        await client.upgrade("/echo/")
        await client.send(masked(TEXT, b"x" * 100) + masked(TEXT, b"x" * 101))
        assert (await client.read_frame()).payload == b"x" * 100
        assert (await client.read_frame()).code == 1009


@pytest.mark.parametrize(
    ("subprotocols", "offered", "status", "chosen"),
    [
        ((), None, 101, None),
        ((), "a", 400, None),
        (("b",), "a, b", 101, "b"),
        (None, None, 101, None),
        (None, "a, b", 101, "a"),
        (None, "a\r\nSec-WebSocket-Protocol: b", 101, "a"),
        (None, "(a), b", 101, "b"),
        (None, "\u00e9", 400, None),
    ],
)
async def test_an_endpoint_says_which_subprotocols_it_takes(
    subprotocols: Sequence[str] | None, offered: str | None, status: int, chosen: str | None
) -> None:
    async with echoing(subprotocols=subprotocols) as (server, _):
        response = await ask(server, request("/echo/", headers={"sec-websocket-protocol": offered}))
        assert (response.status, response.headers.get("sec-websocket-protocol")) == (status, chosen)


async def test_an_endpoint_refuses_in_its_own_words() -> None:
    body = b'{"code":1,"message":"Session ID unknown"}'
    refusal = Refusal(400, body, [(b"Content-Type", b"application/json"), (b"X-Why", b"no")])
    async with echoing(refuse=refusal) as (server, endpoint):
        response = await ask(server, request("/echo/"))
        assert (response.status, response.body) == (400, body)
        headers = {
            "content-type": "application/json",
            "connection": "close",
            "content-length": str(len(body)),
        }
        assert headers.items() <= response.headers.items()
        assert response.headers["x-why"] == "no"
        assert server.app.metrics.http_requests["4xx"] == 1
        assert endpoint.opened == 0


async def test_an_endpoint_may_accept_and_close_at_once() -> None:
    def greet(link: Echo) -> None:
        link.part(
            link.framing((Payload(b"bye"),)), wire.close_frame(1002, "no"), reason=NORMAL, resumable=False
        )

    async with echoing(greet=greet) as (server, _), await RawClient.open(server.host, server.port) as client:
        await client.send(request("/echo/") + masked(TEXT, b"too late"))
        assert (await client.read_response()).status == 101
        assert (await client.read_frame()).payload == b"bye"
        close = await client.read_frame()
        assert (close.code, close.reason) == (1002, "no")
        await client.send(masked(8, b"\x03\xea"))
        assert await client.read_end() == "closed"


# --- what holds at every path -----------------------------------------------------------------------------

PATHS = ["/v1/ws", "/echo/"]


@pytest.mark.parametrize("path", PATHS)
async def test_pages_of_other_origins_come_in_nowhere(path: str) -> None:
    async with echoing() as (server, endpoint):
        response = await ask(server, request(path, headers={"origin": "https://evil.example"}))
        assert response.status == 403
        assert not endpoint.requests


@pytest.mark.parametrize("path", PATHS)
async def test_a_draining_server_opens_nothing(path: str) -> None:
    async with echoing() as (server, endpoint):
        server.app.hub.draining = True
        response = await ask(server, request(path))
        assert (response.status, response.headers["retry-after"]) == (503, "1")
        assert not endpoint.requests


@pytest.mark.parametrize("path", PATHS)
async def test_a_crowd_of_newcomers_is_too_many_everywhere(path: str) -> None:
    async with (
        echoing(limits={"unauthenticated": 1}) as (server, endpoint),
        await RawClient.open(server.host, server.port) as client,
    ):
        await client.upgrade()
        assert (await ask(server, request(path))).status == 503
        assert not endpoint.requests
        await client.authenticate(server.token())
        assert (await ask(server, request(path))).status == 101


@pytest.mark.parametrize("path", PATHS)
async def test_the_clients_behind_a_proxy_are_counted_everywhere(path: str) -> None:
    """An endpoint that has judged already has changed nothing when there is no place."""
    async with (
        echoing(limits={"connections_per_ip": 1}, server={"trusted_proxies": ("127.0.0.5",)}) as (
            server,
            endpoint,
        ),
        await RawClient.open(server.host, server.port, source="127.0.0.5") as client,
    ):
        forwarded: dict[str, str | None] = {"x-forwarded-for": "203.0.113.9"}
        await client.upgrade(headers=forwarded)
        response = await ask(server, request(path, headers=forwarded), "127.0.0.5")
        assert (response.status, response.headers["retry-after"]) == (503, "5")
        assert endpoint.opened == 0


async def test_compression_is_agreed_everywhere() -> None:
    async with echoing(compression={"enabled": True, "minimum": 10}) as (server, _):
        for path in PATHS:
            response = await ask(
                server, request(path, headers={"sec-websocket-extensions": "permessage-deflate"})
            )
            assert "server_no_context_takeover" in response.headers["sec-websocket-extensions"]
