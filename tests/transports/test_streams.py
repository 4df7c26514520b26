"""Readers that stall, over real sockets with small buffers."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.hub.world import OpenPolicy
from tests.transports.httpclient import client, open_session, subscribe
from tests.waiting import until

from hubbub.errors import ErrorCode
from hubbub.testing.raw import RawClient
from hubbub.testing.server import RunningServer, running_server

pytestmark = pytest.mark.anyio
BIG = "x" * 50_000


@asynccontextmanager
async def stalled(server: RunningServer, target: str, **headers: str) -> AsyncIterator[socket.socket]:
    """A GET whose answer nobody reads."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(peer, (server.host, server.port))
        lines = [
            f"GET {target} HTTP/1.1",
            "Host: x",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        await loop.sock_sendall(peer, ("\r\n".join(lines) + "\r\n\r\n").encode())
        yield peer
    finally:
        peer.close()


LIMITS: dict[str, dict[str, Any]] = {
    "queue_bytes": {"queue_bytes": 500_000, "write_timeout": 60.0},
    "write_timeout": {"queue_bytes": 50_000_000, "write_timeout": 0.5},
}


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("kind", ["sse", "session"])
async def test_a_stalled_reader_is_dropped_and_its_memory_returned(limit: str, kind: str) -> None:
    async with running_server(limits=LIMITS[limit]) as server, client(server) as http:
        app = server.app
        headers: dict[str, str] = {}
        target = f"/v1/sse?channel=big&token={server.token()}"
        if kind == "session":
            session = await open_session(http, server)
            await session.post(subscribe(1, "big"))
            headers = {"Accept": "text/event-stream", **session.headers}
            target = session.connected["stream"]["events"]
        async with stalled(server, target, **headers):
            await until(lambda: "big" in app.hub.channels and app.hub.channels["big"].size == 1)
            await until(lambda: app.metrics.connections["sse", "native-json"] == 1)
            for _ in range(200):
                await app.publish("big", "tick", BIG)
                await asyncio.sleep(0)
                if app.metrics.rejected[limit]:
                    break
            await until(lambda: app.metrics.rejected[limit] == 1)
            assert app.metrics.disconnects[3002] == 1
            await until(lambda: app.metrics.connections["sse", "native-json"] == 0)
            await until(lambda: "big" not in app.hub.channels)
            await until(lambda: app.node.queued_bytes < 1_000)  # but for the farewell of a mailbox
        assert len(app.hub.detached) == (1 if kind == "session" else 0)


async def test_a_slow_session_is_told_and_resumes() -> None:
    async with running_server(limits={"queue_bytes": 100_000}) as server, client(server) as http:
        session = await open_session(http, server)
        position = (await session.post(subscribe(1, "slow", presence=False)))[0]["position"]
        for _ in range(5):
            await server.app.publish("slow", "tick", BIG)
        told = json.loads((await session.poll()).text)
        assert (told["code"], told["reconnect"]) == (3002, True)
        answer = await http.post("/v1/sessions", json={"resume": session.proof(slow=position)})
        assert answer.json()["recovered"]
        assert len(answer.json()["subscriptions"][0]["publications"]) == 5


async def test_a_recovery_larger_than_the_queue_arrives_whole() -> None:
    async with running_server(limits={"queue_bytes": 100_000}) as server, client(server) as http:
        first = await server.app.publish("whole", "tick", 0)
        assert first is not None
        for _ in range(20):
            await server.app.publish("whole", "tick", BIG)
        last = f"{first.epoch}:{first.offset}"
        query = {"channel": "whole", "token": server.token(), "last_event_id": last}
        got = 0
        async with http.stream("GET", "/v1/sse", params=query) as response:
            async for line in response.aiter_lines():
                got += '"publication"' in line
                if got == 20:
                    break
        assert server.app.metrics.disconnects[3002] == 0


async def test_connections_that_did_not_authenticate_have_a_limit() -> None:
    async with running_server(limits={"unauthenticated": 0}) as server, client(server) as http:
        for answer in (
            await http.post("/v1/sessions", json={"token": server.token()}),
            await http.get("/v1/sse", params={"channel": "a", "token": server.token()}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, ErrorCode.CONNECTION_LIMIT)
            assert answer.headers["retry-after"] == "1"
        assert server.app.metrics.rejected["unauthenticated"] == 2


async def test_those_who_have_said_who_they_are_make_room() -> None:
    async with running_server(limits={"unauthenticated": 1}) as server, client(server) as http:
        for _ in range(3):
            await open_session(http, server)
        assert len(server.app.node.newcomers) == 0
        refused = await http.post("/v1/sessions", json={"token": "nonsense"})
        assert refused.status_code == 401
        assert len(server.app.node.newcomers) == 0
        async with await RawClient.open(server.host, server.port) as stranger:
            await stranger.upgrade()
            answer = await http.post("/v1/sessions", json={"token": server.token()})
            assert (answer.status_code, answer.json()["code"]) == (503, ErrorCode.CONNECTION_LIMIT)
            await stranger.authenticate(server.token())
            await open_session(http, server)


async def test_whose_token_is_still_being_judged_is_a_newcomer() -> None:
    policy = OpenPolicy()
    policy.gate = asyncio.Event()
    async with (
        running_server(limits={"unauthenticated": 1}, policy=policy) as server,
        client(server) as http,
    ):
        first = asyncio.create_task(http.post("/v1/sessions", json={"token": "ada"}))
        await until(lambda: len(server.app.node.newcomers) == 1)
        assert (await http.post("/v1/sessions", json={"token": "ada"})).status_code == 503
        policy.gate.set()
        assert (await first).is_success
        assert len(server.app.node.newcomers) == 0
        assert (await http.post("/v1/sessions", json={"token": "ada"})).is_success


async def test_a_mailbox_is_writable_while_nothing_waits_in_it() -> None:
    async with running_server() as server, client(server) as http:
        session = await open_session(http, server)
        connection = server.app.hub.sessions[session.connected["session"]].connection
        assert connection is not None
        assert connection.writable
        await session.post(subscribe(1, "news", presence=False))
        await server.app.publish("news", "tick", 1)
        assert not connection.writable
        await session.poll()
        assert connection.writable
