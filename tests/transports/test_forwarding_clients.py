"""Clients of the native protocol before three nodes on a Redis, each of whose connections and requests comes to another
node."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import msgspec
import pytest
from tests.cluster.serving import Three, three_on_redis
from tests.transports.httpclient import EVENT_STREAM, TIMEOUT, Events, HttpSession, lines, publish, subscribe

from hubbub.client.client import Client
from hubbub.client.events import Reconnected
from hubbub.config.cluster import RedisConfig
from hubbub.model import Principal, Publication
from hubbub.testing.proxy import FaultProxy

pytestmark = pytest.mark.anyio

MANY = 60


async def opened(http: httpx2.AsyncClient, cluster: Three, user: str) -> HttpSession:
    answer = await http.post("/v1/sessions", json={"token": cluster.token(user)})
    assert answer.status_code == 200, answer.text
    return HttpSession(http, answer.json())


async def polls(session: HttpSession, count: int) -> list[Any]:
    """What comes by long-polling, until there are so many."""
    got: list[Any] = []
    ack = 0
    while len(got) < count:
        answer = await session.poll(ack)
        assert answer.status_code in (200, 204)
        got += [each["data"] for each in lines(answer) if each["type"] == "publication"]
        ack = int(answer.headers["hubbub-next"])
    return got


async def streams(session: HttpSession, count: int, each: int) -> list[Any]:
    """What comes by streams, each of which is left after some events."""
    got: list[Any] = []
    last: str | None = None
    while len(got) < count:
        async with session.events(last) as events:
            for _ in range(min(each, count - len(got))):
                last, item = await events.until("publication")
                got.append(item["data"])
    return got


async def test_whoever_polls_or_streams_misses_nothing_and_is_refused_nothing(
    redis_config: RedisConfig,
) -> None:
    async with (
        three_on_redis(redis_config, heartbeat={"poll_timeout": 0.5}) as cluster,
        httpx2.AsyncClient(base_url=cluster.url, timeout=TIMEOUT) as http,
    ):
        sessions = [await opened(http, cluster, f"user-{number}") for number in range(6)]
        for session in sessions:
            await session.post(subscribe(1, "news"))
        readers = [
            asyncio.create_task(polls(session, MANY) if at % 2 else streams(session, MANY, 7))
            for at, session in enumerate(sessions)
        ]
        for number in range(MANY):
            (reply,) = await sessions[number % 6].post(publish(2 + number, "news", number))
            assert reply["type"] == "published"
        for reader in readers:
            assert await reader == list(range(MANY))
        for session in sessions:
            answer = await http.delete(f"/v1/sessions/{session.id}", headers=session.headers)
            assert answer.status_code == 204
        assert cluster.balancer.failed == []
        assert min(cluster.balancer.served.values()) > 20
        assert all(not node.app.hub.sessions for node in cluster.nodes)


async def test_a_client_whose_connection_breaks_goes_on_at_another_node(redis_config: RedisConfig) -> None:
    async with (
        three_on_redis(redis_config) as cluster,
        FaultProxy("127.0.0.1", cluster.balancer.port) as proxy,
        Client(f"ws://127.0.0.1:{proxy.port}/v1/ws", token=lambda: cluster.token("ada")) as client,
    ):
        await client.subscribe("news")
        first = session_of(client)
        nodes: set[str] = set()

        async def speak() -> None:
            for number in range(MANY):
                await cluster.nodes[number % 3].app.publish("news", "message", number)
                if number % 10 == 5:
                    proxy.reset()
                await asyncio.sleep(0.02)

        speaking = asyncio.create_task(speak())
        got: list[Any] = []
        coming = aiter(client)
        while len(got) < MANY:
            item = await asyncio.wait_for(anext(coming), TIMEOUT)
            if isinstance(item, Publication):
                got.append(msgspec.json.decode(item.data))
            elif isinstance(item, Reconnected):
                assert item.resumed
                nodes |= {node.nodes.id for node in cluster.nodes if first in node.app.hub.sessions}
        await speaking
        assert got == list(range(MANY))
        assert session_of(client) == first
        assert len(nodes) > 1


def session_of(client: Client) -> str:
    connected = client.session.connected
    assert connected is not None
    return connected.session


async def test_an_eventsource_with_a_ticket_is_let_in_again_by_any_node(redis_config: RedisConfig) -> None:
    async with (
        three_on_redis(redis_config) as cluster,
        httpx2.AsyncClient(base_url=cluster.url, timeout=TIMEOUT) as http,
    ):
        ticket = await cluster.nodes[0].app.tickets.issue(Principal("ada"), ("news",))
        last: str | None = None
        seen: list[Any] = []
        for number in range(8):
            headers = EVENT_STREAM | ({"Last-Event-ID": last} if last else {})
            path = f"/v1/sse?channel=news&ticket={ticket}"
            async with http.stream("GET", path, headers=headers) as response:
                assert response.status_code == 200, await response.aread()
                events = Events(response)
                await events.until("subscribed")
                await cluster.nodes[number % 3].app.publish("news", "message", 2 * number)
                while not seen or seen[-1] != 2 * number:
                    last, item = await events.until("publication")
                    seen.append(item["data"])
            await cluster.nodes[number % 3].app.publish("news", "message", 2 * number + 1)
        assert seen == list(range(15))
        assert len(cluster.balancer.served) > 1
        assert cluster.balancer.failed == []
