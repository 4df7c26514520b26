"""Every kind of new session comes by the door, and is told when to come again in its own protocol's words."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from tests.waiting import until

from hubbub.client import Client, Reconnected, Reconnecting
from hubbub.config import LoadConfig
from hubbub.errors import ErrorCode, HubbubError
from hubbub.telemetry.levels import Level, Reading
from hubbub.telemetry.load import LoadChange
from hubbub.testing.raw import RawClient, Response, request
from hubbub.testing.server import RunningServer, running_server
from hubbub.transports.door import CRITICAL_WAIT
from hubbub.transports.node import Node

pytestmark = pytest.mark.anyio

SHUT: dict[str, Any] = {"handshake_rate": 0.1, "handshake_burst": 1}
"""One comes in, and the next in ten seconds."""
NORMAL = LoadConfig().model_dump()
"""The levels as they are unless somebody sets them: other tests have none."""
ENGINE = "/socket.io/?EIO=4&transport="
KINDS = ("websocket", "http", "sse", "polling", "socketio")


async def come(server: RunningServer, kind: str, **connect: Any) -> tuple[int, float | None]:
    """Try to open a session: the status (101 and 200 are in), and the seconds to wait if that is told."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx2.AsyncClient(base_url=server.url))
        raw = await stack.enter_async_context(await RawClient.open(server.host, server.port))
        bearer = {"Authorization": f"Bearer {server.token()}"}
        match kind:
            case "websocket":
                await raw.upgrade()
                command = {"type": "connect", "id": 1} | (connect or {"token": server.token()})
                await raw.send_json(command)
                reply = await raw.read_json()
                if reply["type"] == "error":
                    assert (await raw.read_close()).code == 3006
                    assert reply["name"] == "overloaded"
                    assert reply["temporary"] is True
                    return 503, reply["retry_after"]
                return 101, None
            case "http":
                answer = await http.post("/v1/sessions", headers=bearer, json=connect or {})
                if not answer.is_success:
                    assert answer.json()["code"] == ErrorCode.OVERLOADED
                    assert answer.json()["retry_after"] <= int(answer.headers["retry-after"])
                return answer.status_code, _seconds(answer.headers.get("retry-after"))
            case "sse":
                url = "/v1/sse?channel=news"
                async with http.stream("GET", url, headers=bearer) as stream:
                    return stream.status_code, _seconds(stream.headers.get("retry-after"))
            case "polling":
                answer = await http.get(ENGINE + "polling")
                return answer.status_code, _seconds(answer.headers.get("retry-after"))
            case _:
                await raw.send(request(ENGINE + "websocket"))
                response: Response = await raw.read_response()
                return response.status, _seconds(response.headers.get("retry-after"))


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None else None


def at(node: Node, load: float) -> None:
    """From now on the load of a server is this, whatever it is."""
    node.load.stop()
    node.load.take(Reading(cpu=load))


@pytest.mark.parametrize("kind", KINDS)
async def test_the_second_of_two_is_told_when_to_come(kind: str) -> None:
    async with running_server(load=SHUT) as server:
        assert (await come(server, kind))[0] in (101, 200)
        for before in (0, 10, 20):
            status, seconds = await come(server, kind)
            assert status == 503
            assert seconds is not None
            assert before < seconds <= before + 12, "each has a moment of its own"
        assert server.app.metrics.rejected["handshake_rate"] == 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("load", "let_in"), [(0.949, True), (0.95, False), (0.951, False)])
async def test_at_the_critical_level_nobody_new_comes_in(kind: str, load: float, let_in: bool) -> None:
    async with running_server(load=NORMAL) as server:
        at(server.app.node, load)
        status, seconds = await come(server, kind)
        assert status in ((101, 200) if let_in else (503,))
        assert (seconds is None) is let_in
        assert server.app.metrics.rejected["critical"] == (not let_in)


@pytest.mark.parametrize("rate", [0.0, 0.5])
async def test_who_is_refused_for_the_load_comes_later_and_each_at_another_moment(rate: float) -> None:
    async with running_server(load=NORMAL | {"handshake_rate": rate, "handshake_burst": 1}) as server:
        at(server.app.node, 0.95)
        waits = []
        for _ in range(10):
            with pytest.raises(HubbubError) as refused:
                server.app.node.door.enter()
            assert refused.value.code is ErrorCode.OVERLOADED
            waits.append(refused.value.retry_after or 0.0)
        assert min(waits) >= CRITICAL_WAIT
        assert len(set(waits)) == 10
        if rate:
            assert all(2.0 < after - before < 2.2 for before, after in pairwise(waits))


@pytest.mark.parametrize("kind", ["websocket", "http"])
async def test_who_resumes_is_let_in_at_any_load(kind: str) -> None:
    async with running_server(load=NORMAL) as server:
        first = await RawClient.open(server.host, server.port)
        connected = await first.connect(server.token())
        first.reset()
        at(server.app.node, 2.0)
        resume = {"session": connected["session"], "secret": connected["secret"]}
        assert (await come(server, kind, resume=resume))[0] in (101, 200)
        assert (await come(server, kind))[0] == 503


@pytest.mark.parametrize(("load", "let_in"), [(0.849, True), (0.85, False), (0.94, False)])
@pytest.mark.parametrize("kind", ["websocket", "http"])
async def test_from_overloaded_on_those_without_a_name_are_refused(
    kind: str, load: float, let_in: bool
) -> None:
    async with running_server(auth={"anonymous": True}, load=NORMAL) as server:
        at(server.app.node, load)
        if kind == "websocket":
            async with await RawClient.open(server.host, server.port) as client:
                await client.upgrade()
                await client.send_json({"type": "connect", "id": 1})
                reply = await client.read_json()
            assert reply["type"] == ("connected" if let_in else "error")
        else:
            async with httpx2.AsyncClient(base_url=server.url) as http:
                answer = await http.post("/v1/sessions", json={})
            assert answer.status_code == (200 if let_in else 503)
        assert server.app.metrics.rejected["overloaded"] == (not let_in)
        assert (await come(server, kind))[0] in (101, 200), "who has a name comes in"


async def test_a_server_that_was_refused_to_nobody_is_ready_again() -> None:
    async with running_server(load=NORMAL) as server, httpx2.AsyncClient(base_url=server.url) as http:
        for load, status in ((0.96, 503), (0.91, 503), (0.89, 200), (0.95, 503), (0.1, 200)):
            at(server.app.node, load)
            ready = await http.get("/health/ready")
            assert ready.status_code == status
            level = server.app.node.load.level
            assert ready.json()["checks"]["load"]["message"] == level.word
            assert (level is Level.CRITICAL) is (status == 503)


async def test_the_application_hears_of_the_level() -> None:
    async with running_server(load=NORMAL) as server:
        heard: asyncio.Queue[LoadChange] = asyncio.Queue()

        @server.app.on_load
        async def hook(change: LoadChange) -> None:
            await heard.put(change)
            raise ValueError("of no importance")

        at(server.app.node, 0.72)
        at(server.app.node, 0.73)
        at(server.app.node, 0.1)
        async with asyncio.timeout(5):
            assert await heard.get() == LoadChange("busy", "normal", 0.72, "cpu")
            assert await heard.get() == LoadChange("normal", "busy", 0.1, "cpu")
        await until(lambda: server.app.metrics.handler_errors == 2)

        async def without() -> None: ...

        with pytest.raises(TypeError, match=r"must take \(change\)"):
            server.app.on_load(without)


async def test_our_client_keeps_to_what_it_was_told() -> None:
    async with running_server(load={"handshake_rate": 2.0, "handshake_burst": 1}) as server:
        async with Client(server.url, server.token()) as client:
            (session,) = server.app.hub.sessions.values()
            server.app.hub.end(session, None)  # so that it cannot be resumed
            client.drop()
            pauses = []
            async with asyncio.timeout(10):
                async for event in client:
                    if isinstance(event, Reconnecting):
                        pauses.append(event.delay)
                    if isinstance(event, Reconnected):
                        break
        # It was too early at first, and then came when it was told to: half a second after the one before.
        assert len(pauses) == 2
        assert pauses[0] < 0.26 < pauses[1] < 0.8
        assert server.app.metrics.rejected["handshake_rate"] == 1
