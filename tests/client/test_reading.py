from __future__ import annotations

from typing import Any

import pytest
from tests.client.places import take, until

from hubbub.client import Client, Gap
from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio


async def test_a_slow_reader_loses_nothing_that_the_log_has() -> None:
    retention: Any = {"a": {"retention": 1000, "subscribe": "authenticated", "publish": "authenticated"}}
    async with (
        running_server(namespaces=retention) as server,
        Client(server.url, server.token()) as client,
        client.channel("a:1", buffer=10, presence=False).subscribe() as slow,
    ):
        for number in range(700):
            await server.app.publish("a:1", "message", number)
        await until(lambda: slow._reading._lagging)
        seen = await take(slow, 300)
        for number in range(700, 720):
            await server.app.publish("a:1", "message", number)
        seen += await take(slow, 420)
        assert [each.data for each in seen] == list(range(720))
        assert len(slow._reading._events) <= 500
        await server.app.publish("a:1", "message", 720)
        assert [each.data for each in await take(slow, 1)] == [720]
        assert not slow._reading._lagging


async def test_a_reader_that_is_slower_than_the_log_is_long_is_told() -> None:
    gaps: list[Gap] = []
    async with (
        running_server() as server,
        Client(server.url, server.token()) as client,
        client.channel("a", buffer=10, presence=False, on_gap=gaps.append).subscribe() as slow,
    ):
        for number in range(300):
            await server.app.publish("a", "message", number)
        await until(lambda: slow._reading._lagging)
        await client.presence("a")  # all has come
        seen = [each.data for each in await take(slow, 110)]
        assert seen == [*range(10), *range(200, 300)]
    assert [(gap.since.offset, gap.position.offset) for gap in gaps] == [(10, 200)]


async def test_without_a_log_the_oldest_are_dropped() -> None:
    none: Any = {"a": {"subscribe": "authenticated", "publish": "authenticated"}}
    async with (
        running_server(namespaces=none) as server,
        Client(server.url, server.token()) as client,
        client.channel("a:1", buffer=10, presence=False).subscribe() as slow,
    ):
        for number in range(30):
            await client.publish("a:1", number)
        assert [each.data for each in await take(slow, 10)] == list(range(20, 30))
        assert slow.dropped == 20
