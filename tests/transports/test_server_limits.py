"""How many may come: per node, per address and before they say who they are; and that every way out gives back."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tests.waiting import until

from hubbub.auth.base import ConnectionInfo
from hubbub.config import Config, development
from hubbub.hub.session import Session
from hubbub.testing.raw import CLOSE, TEXT, RawClient, Response, masked, request
from hubbub.testing.server import RunningServer, running_server
from hubbub.transports.http_connection import HttpConnection
from hubbub.transports.websocket import WebSocketConnection

pytestmark = pytest.mark.anyio

LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
METRICS = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
API = b"GET /v1/channels HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@contextlib.asynccontextmanager
async def production(**sections: Any) -> AsyncIterator[RunningServer]:
    """A server for which loopback is no exception."""
    config = development(Config(**sections), secrets.token_urlsafe(32)).model_copy(update={"dev": False})
    async with running_server(config) as server:
        yield server


async def answer(server: RunningServer, data: bytes, source: str | None = None) -> Response:
    async with await RawClient.open(server.host, server.port, source=source) as client:
        await client.send(data)
        return await client.read_response()


async def emptied(server: RunningServer) -> None:
    admission = server.app.node.admission
    await until(lambda: not admission.total and not admission.spare)
    assert not admission._addresses


async def test_above_the_limit_only_operators_are_answered() -> None:
    async with running_server(limits={"connections": 3, "reserved_descriptors": 4}) as server:
        clients = [await RawClient.open(server.host, server.port) for _ in range(3)]
        for client in clients:
            await client.connect(server.token())
        for refused in (request(), API):
            response = await answer(server, refused)
            assert (response.status, response.headers["retry-after"]) == (503, "5")
        assert (await answer(server, LIVE)).status == 200
        assert (await answer(server, METRICS)).status == 200
        assert server.app.metrics.rejected["connections"] == 4
        # Not even operators may use up the descriptors that are kept.
        spare = server.app.node.admission
        await until(lambda: not spare.spare)
        held = [await RawClient.open(server.host, server.port) for _ in range(2)]
        await until(lambda: spare.spare == 2)
        async with await RawClient.open(server.host, server.port) as third:
            assert await third.read_end() in ("reset", "closed")
        for client in (*held, *clients):
            client.close()
        await emptied(server)
        assert (await answer(server, request())).status == 101


async def test_connections_of_one_address_are_bounded() -> None:
    async with production(limits={"connections_per_ip": 2}) as server:
        clients = [await RawClient.open(server.host, server.port, source="127.0.0.2") for _ in range(2)]
        for client in clients:
            await client.upgrade()
        assert (await answer(server, request(), "127.0.0.2")).status == 503
        assert (await answer(server, request(), "127.0.0.3")).status == 101
        assert server.app.metrics.rejected["connections_per_ip"] == 1
        clients[0].close()
        await until(lambda: server.app.node.admission._addresses["127.0.0.2"] == 1)
        assert (await answer(server, request(), "127.0.0.2")).status == 101
        clients[1].close()
        await emptied(server)


@pytest.mark.parametrize(("open", "status"), [(1, 101), (2, 503)])
async def test_connections_that_have_not_said_who_they_are_are_bounded(open: int, status: int) -> None:
    async with running_server(limits={"unauthenticated": 2}) as server:
        known = [await RawClient.open(server.host, server.port) for _ in range(3)]
        for client in known:
            await client.connect(server.token())
        clients = [await RawClient.open(server.host, server.port) for _ in range(open)]
        for client in clients:
            await client.upgrade()
        assert len(server.app.node.newcomers) == open
        response = await answer(server, request())
        assert (response.status, response.headers.get("retry-after")) == (status, "1" if open == 2 else None)
        assert server.app.metrics.rejected["unauthenticated"] == (open == 2)
        await clients[0].authenticate(server.token())
        assert (await answer(server, request())).status == 101
        for client in (*known, *clients):
            client.close()
        await until(lambda: not server.app.node.newcomers)


async def test_who_resumes_or_is_sent_away_is_no_newcomer() -> None:
    async with running_server() as server:
        first = await RawClient.open(server.host, server.port)
        connected = await first.connect(server.token())
        second = await RawClient.open(server.host, server.port)
        await second.upgrade()
        proof = {"session": connected["session"], "secret": connected["secret"]}
        await second.send_json({"type": "connect", "id": 1, "resume": proof})
        assert (await second.read_json())["resumed"] is True
        assert len(server.app.node.websockets) == 2  # the first has been sent away and has yet to go
        assert len(server.app.node.newcomers) == 0
        first.close()
        second.close()


async def test_who_never_said_who_they_are_count_until_the_socket_is_gone() -> None:
    """Else whoever breaks the protocol and stays would hold a socket that no limit of newcomers knows."""
    async with running_server(limits={"unauthenticated": 1}) as server:
        client = await RawClient.open(server.host, server.port)
        await client.upgrade()
        await client.send(masked(TEXT, b"{"))
        assert (await client.read_close()).code == 3500
        assert (await answer(server, request())).status == 503
        client.close()
        await until(lambda: not server.app.node.newcomers)
        assert (await answer(server, request())).status == 101


# --- behind proxies ---------------------------------------------------------------------------------------


async def info_of(server: RunningServer, headers: dict[str, str | None], source: str) -> ConnectionInfo:
    async with await RawClient.open(server.host, server.port, source=source) as client:
        await client.upgrade(headers=headers)
        connected = await client.authenticate(server.token())
        return server.app.hub.sessions[connected["session"]].info


@pytest.mark.parametrize(
    ("source", "forwarded", "address"),
    [
        ("127.0.0.1", "203.0.113.9", "127.0.0.1"),
        ("127.0.0.5", None, "127.0.0.5"),
        ("127.0.0.5", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.5", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.5", "203.0.113.9, 127.0.0.6", "203.0.113.9"),
        ("127.0.0.5", "evil, 127.0.0.6", "127.0.0.6"),
        ("127.0.0.5", "203.0.113.9, nonsense", "127.0.0.5"),
        ("127.0.0.5", "2001:db8::1", "2001:db8::1"),
    ],
)
async def test_only_trusted_proxies_are_believed(source: str, forwarded: str | None, address: str) -> None:
    async with running_server(server={"trusted_proxies": ("127.0.0.4/30",)}) as server:
        assert (await info_of(server, {"x-forwarded-for": forwarded}, source)).address == address
        await emptied(server)


@pytest.mark.parametrize(
    ("source", "proto", "status"),
    [("127.0.0.5", "https", 101), ("127.0.0.5", "http", 403), ("127.0.0.1", "https", 403)],
)
async def test_the_scheme_is_the_trusted_proxys(source: str, proto: str, status: int) -> None:
    headers: dict[str, str | None] = {"host": "a.example", "origin": "https://a.example"}
    async with running_server(server={"trusted_proxies": ("127.0.0.5",)}) as server:
        response = await answer(server, request(headers=headers | {"x-forwarded-proto": proto}), source)
        assert response.status == status


async def test_behind_a_proxy_the_clients_are_counted_not_the_proxy() -> None:
    async with production(
        limits={"connections_per_ip": 2}, server={"trusted_proxies": ("127.0.0.5",)}
    ) as server:
        clients = [await RawClient.open(server.host, server.port, source="127.0.0.5") for _ in range(5)]
        asked = (("a::1", 101), ("a::1", 101), ("a::1", 503), ("b::1", 101), ("b::1", 101))
        for client, (address, status) in zip(clients, asked, strict=True):
            await client.send(request(headers={"x-forwarded-for": address}))
            assert (await client.read_response()).status == status
        for client in clients:
            client.close()
        await emptied(server)


# --- every way out ----------------------------------------------------------------------------------------


async def fin(client: RawClient, server: RunningServer) -> None:
    await client.connect(server.token(), "news")


async def reset(client: RawClient, server: RunningServer) -> None:
    await client.connect(server.token(), "news")
    client.reset()


async def polite(client: RawClient, server: RunningServer) -> None:
    await client.connect(server.token(), "news")
    await client.send(masked(CLOSE, b"\x03\xe8"))
    await client.read_end()


async def violation(client: RawClient, server: RunningServer) -> None:
    await client.connect(server.token(), "news")
    await client.send(masked(TEXT, b"\xff"))
    await client.read_end()


async def mid_handshake(client: RawClient, server: RunningServer) -> None:
    await client.send(request()[:40])
    client.reset()


async def mid_frame(client: RawClient, server: RunningServer) -> None:
    await client.upgrade()
    await client.send(masked(TEXT, json.dumps({"type": "ping", "id": 1}).encode())[:9])


async def refused(client: RawClient, server: RunningServer) -> None:
    await client.send(request(headers={"origin": "https://evil.example"}))
    await client.read_response()


async def nothing(client: RawClient, server: RunningServer) -> None:
    pass


async def plain(client: RawClient, server: RunningServer) -> None:
    await client.send(LIVE)
    await client.read_response()


WAYS: list[Callable[[RawClient, RunningServer], Awaitable[None]]] = [
    fin, reset, polite, violation, mid_handshake, mid_frame, refused, nothing, plain,
]  # fmt: skip


def alive() -> dict[str, int]:
    gc.collect()
    objects = gc.get_objects()
    kinds = (HttpConnection, WebSocketConnection, Session, asyncio.Transport, asyncio.Task)
    return {kind.__name__: sum(isinstance(each, kind) for each in objects) for kind in kinds}


async def test_nothing_is_left_of_those_who_have_gone() -> None:
    async with production(
        sessions={"resume_window": 0.0}, limits={"handshake_timeout": 1.0, "connections_per_ip": 1000}
    ) as server:
        app = server.app

        async def churn(rounds: int) -> None:
            async def one(way: Callable[[RawClient, RunningServer], Awaitable[None]]) -> None:
                async with await RawClient.open(server.host, server.port) as client:
                    await way(client, server)

            for _ in range(rounds):
                await asyncio.gather(*(one(way) for way in WAYS for _ in range(5)))

        def at_rest() -> bool:
            return not app.node.admission.total and not sum(map(len, app.node.wheel._slots.values()))

        await churn(1)
        await until(at_rest)
        tasks, before = len(asyncio.all_tasks()), alive()
        await churn(8)
        # While they come and go, the wheel holds a connection once or twice, and for its deadline only.
        assert sum(map(len, app.node.wheel._slots.values())) <= 3 * 8 * 5 * len(WAYS)
        await until(at_rest)
        assert alive() == before
        assert len(asyncio.all_tasks()) == tasks
        assert sum(app.metrics.connections.values()) == 0
        assert app.metrics.connections_opened["websocket", "native-json"] == 9 * 5 * 5
        gauges = {name: read() for name, read in app.metrics.gauges.items()}
        assert gauges == dict.fromkeys(gauges, 0)
        await emptied(server)
        assert not app.node.websockets
