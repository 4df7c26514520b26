"""python-socketio's AsyncClient, on aiohttp, against a running server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.socketio_clients.servers import REFERENCE, serving
from tests.waiting import until

import socketio  # type: ignore[import-untyped]
from hubbub.testing.proxy import FaultProxy

pytestmark = pytest.mark.anyio

PATIENCE = 15.0
TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": None}
BYTES = bytes(range(256))
OPTIONS: dict[str, Any] = (
    {} if REFERENCE else {"recovery": 60_000}
)  # the reference gives all clients offsets then


class Site:
    """A server and the clients of one test, which end with it. `transport` is a key of TRANSPORTS."""

    def __init__(self, port: int, transport: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.transport = transport
        self.clients: list[Any] = []

    def client(self, **options: Any) -> Any:
        options = {"reconnection_delay": 0.05, "randomization_factor": 0, "handle_sigint": False, **options}
        client = socketio.AsyncClient(**options)
        self.clients.append(client)
        return client

    async def connect(self, client: Any, *, url: str | None = None, **options: Any) -> None:
        transports = TRANSPORTS[self.transport]
        await client.connect(url or self.url, transports=transports, wait_timeout=PATIENCE, **options)

    async def enter(self, **options: Any) -> Any:
        client = self.client()
        await self.connect(client, **options)
        return client

    async def close(self) -> None:
        for client in self.clients:
            await client.shutdown()


@pytest.fixture(params=TRANSPORTS)
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    async with serving(**OPTIONS) as port:
        site = Site(port, request.param)
        yield site
        await site.close()


def listen(client: Any, event: str, namespace: str = "/") -> list[Any]:
    """A list that grows with the arguments of each `event`, one argument as itself."""
    heard: list[Any] = []

    async def hear(*values: Any) -> None:
        heard.append(values[0] if len(values) == 1 else values)

    client.on(event, hear, namespace=namespace)
    return heard


async def test_connects_with_auth_and_says_who_it_is(site: Site) -> None:
    client = await site.enter(auth={"key": "kéy", "deep": [None, {"a": 1}]})
    who = await client.call("who", timeout=PATIENCE)
    assert who["id"] == client.get_sid()
    assert who["auth"] == {"key": "kéy", "deep": [None, {"a": 1}]}
    assert client.transport() == ("polling" if site.transport == "polling" else "websocket")


async def test_is_refused_with_data(site: Site) -> None:
    client = site.client(reconnection=False)
    told = listen(client, "connect_error")
    with pytest.raises(socketio.exceptions.ConnectionError):
        await site.connect(client, auth={"refuse": {"code": 17}})
    await until(lambda: told)
    assert told[0] == {"message": "refused", "data": {"code": 17}}


async def test_values_come_back_as_they_were(site: Site) -> None:
    client = await site.enter()
    values = [0, -1.5, "ünï 🙂", True, None, [], {}, {"a": [1, {"b": None}]}, BYTES, {"x": [BYTES, b""]}]
    for value in values:
        assert await client.call("echo", (value,), timeout=PATIENCE) == value
    assert await client.call("echo", (1, "two", BYTES), timeout=PATIENCE) == (1, "two", BYTES)


async def test_events_carry_what_was_sent_and_nothing_more(site: Site) -> None:
    client = await site.enter()
    heard = listen(client, "again")
    await client.emit("again", (1, {"two": BYTES}))
    await client.emit("again", "text")
    await client.emit("again", ())
    await client.call("echo", "fence", timeout=PATIENCE)
    await until(lambda: len(heard) == 3)
    assert heard == [(1, {"two": BYTES}), "text", ()]


async def test_answers_the_server(site: Site) -> None:
    client = await site.enter()

    async def question(value: Any) -> Any:
        return {"got": value}

    client.on("question", question)
    answer = await client.call("ask", (None, "question", BYTES, 10_000), timeout=PATIENCE)
    assert answer == {"answer": {"got": BYTES}}


async def test_rooms(site: Site) -> None:
    inside, outside = await site.enter(), await site.enter()
    heard, unheard = listen(inside, "word"), listen(outside, "word")
    await inside.call("join", "room", timeout=PATIENCE)
    assert await inside.call("rooms", timeout=PATIENCE) == ["room"]
    await outside.call("say", (["room"], [], "word", "hello", 2), timeout=PATIENCE)
    await inside.call("leave", "room", timeout=PATIENCE)
    await outside.call("say", (["room"], [], "word", "lost"), timeout=PATIENCE)
    await until(lambda: heard)
    assert (heard, unheard) == ([("hello", 2)], [])


async def test_namespaces(site: Site) -> None:
    client = await site.enter(namespaces=["/", "/chat", "/dynamic-1"])
    names = [
        (await client.call("who", namespace=name, timeout=PATIENCE))["namespace"]
        for name in ("/", "/chat", "/dynamic-1")
    ]
    assert names == ["/", "/chat", "/dynamic-1"]
    gone = listen(client, "disconnect", "/chat")
    await client.emit("kick", namespace="/chat")
    await until(lambda: gone)
    assert gone == [client.reason.SERVER_DISCONNECT]
    assert await client.call("echo", "alive", timeout=PATIENCE) == "alive"


async def test_unknown_namespace_is_refused(site: Site) -> None:
    client = site.client(reconnection=False)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await site.connect(client, namespaces=["/nowhere"])


@pytest.mark.skipif(REFERENCE, reason="it answers polls with more packets than the client takes")
async def test_burst_of_a_thousand_events_arrives_whole(site: Site) -> None:
    client = await site.enter()
    ticks = listen(client, "tick")
    await client.call("burst", (1, 1000), timeout=PATIENCE)
    await until(lambda: len(ticks) == 1000)
    assert ticks == list(range(1, 1001))
    for number in range(1, 1001):
        await client.emit("number", number)
    assert await client.call("numbers", timeout=PATIENCE) == list(range(1, 1001))


async def test_leaves(site: Site) -> None:
    client, witness = await site.enter(), await site.enter()
    sid = client.get_sid()
    gone = listen(client, "disconnect")
    await client.disconnect()
    assert gone == [client.reason.CLIENT_DISCONNECT]
    reasons: list[str] = []
    while not reasons:
        reasons = await witness.call("why", sid, timeout=PATIENCE)
    assert len(reasons) == 1


async def test_talks_on_after_the_network_broke(site: Site) -> None:
    """By another connection, or in "polling" by the next poll, if none was under way."""
    async with FaultProxy("127.0.0.1", int(site.url.rpartition(":")[2])) as proxy:
        client = await site.enter(url=f"http://127.0.0.1:{proxy.port}")
        proxy.reset()
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(socketio.exceptions.SocketIOError):  # not connected, or it was lost
                    assert await client.call("echo", "back", timeout=1) == "back"
                    break
                await asyncio.sleep(0.01)
        await site.close()
