"""How long an HTTP connection may be idle, and who its peer is taken for."""

from __future__ import annotations

import math

import pytest
from tests.transports.answering import Answering, http
from tests.waiting import until

from hubbub.config import ServerConfig
from hubbub.testing.raw import RawClient
from hubbub.testing.server import RunningServer, running_server
from hubbub.transports.direct import Request
from hubbub.transports.http_connection import HttpConnection
from hubbub.transports.node import Weakly

pytestmark = pytest.mark.anyio
HEALTH = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
ONCE = http("GET", "at=once")
LATER = http("GET", "at=later")


class Asking(Answering):
    """Keeps what it was told of its clients."""

    def __init__(self) -> None:
        super().__init__()
        self.clients: list[tuple[str, str]] = []

    def begin(self, request: Request) -> None:
        self.clients.append((request.info("polling", "test").address, request.scheme))
        super().begin(request)


def connection(server: RunningServer) -> HttpConnection:
    members = [each for slot in server.app.node.wheel._slots.values() for each in slot]
    found = {each._member() for each in members if isinstance(each, Weakly)}
    (only,) = (each for each in found if isinstance(each, HttpConnection) and not each.transport.is_closing())
    return only


def much_later(server: RunningServer) -> float:
    return server.app.clock.monotonic() + 3600


@pytest.mark.parametrize("request_", [ONCE, HEALTH, ONCE + ONCE, HEALTH + ONCE])
async def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch, request_: bytes) -> None:
    monkeypatch.setattr("hubbub.transports.server.KEEP_ALIVE", 1)
    async with (
        running_server() as server,
        await RawClient.open(server.host, server.port) as client,
    ):
        server.app.node.direct["/direct/"] = Answering()
        await client.send(request_)
        for _ in range(request_.count(b"GET")):
            assert (await client.read_response()).status == 200
        assert await client.read_end() == "closed"
        assert not server.app.metrics.rejected["handshake_timeout"]


@pytest.mark.parametrize("before", [b"", ONCE, ONCE + ONCE, HEALTH])
async def test_a_connection_whose_request_waits_is_not_idle(before: bytes) -> None:
    async with (
        running_server() as server,
        await RawClient.open(server.host, server.port) as client,
    ):
        endpoint = server.app.node.direct["/direct/"] = Answering()
        await client.send(before + LATER)
        await until(lambda: bool(endpoint.waiting))
        for _ in range(before.count(b"GET")):
            assert (await client.read_response()).status == 200
        http_connection = connection(server)
        assert http_connection.beat(much_later(server)) is None
        endpoint.answer(b"at last")
        assert (await client.read_response()).body == b"at last"
        assert http_connection._idle_until < math.inf
        http_connection.beat(much_later(server))
        assert await client.read_end() == "closed"


@pytest.mark.parametrize(
    ("trusted", "known"), [(["127.0.0.1"], ("203.0.113.5", "https")), ([], ("127.0.0.1", "http"))]
)
async def test_the_client_of_a_direct_request(trusted: list[str], known: tuple[str, str]) -> None:
    forwarded = http("GET", "at=once", X_Forwarded_For="203.0.113.5", X_Forwarded_Proto="https")
    async with (
        running_server(server=ServerConfig(trusted_proxies=trusted)) as server,
        await RawClient.open(server.host, server.port) as client,
    ):
        endpoint = server.app.node.direct["/direct/"] = Asking()
        await client.send(forwarded)
        assert (await client.read_response()).status == 200
        assert endpoint.clients == [known]
