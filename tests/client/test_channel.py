from __future__ import annotations

import asyncio
import gc
import logging
from typing import Any

import msgspec
import pytest
from tests.client.places import take, until
from tests.client.scripted import Peer, connected, error, publication, scripted, subscribed

from hubbub.client import Client, ErrorCode, Gap, HubbubError, Position, Recovered
from hubbub.model import Join, Publication, ServerUnsubscribed
from hubbub.testing.server import RunningServer, running_server

pytestmark = pytest.mark.anyio


class Order(msgspec.Struct):
    id: int


def subscriptions(server: RunningServer) -> set[str]:
    return {name for session in server.app.hub.sessions.values() for name in session.subscriptions}


def subscriptions_of(server: RunningServer) -> list[str]:
    return [name for session in server.app.hub.sessions.values() for name in session.subscriptions]


async def test_ten_lines() -> None:
    async with running_server() as server, Client(server.url, server.token()) as client:
        seen = []
        orders = client.channel("orders:eu", Order)
        task = asyncio.create_task(take(aiter(orders), 2))
        await until(lambda: "orders:eu" in subscriptions(server))
        await orders.publish({"id": 7})
        await client.publish("other", {"id": 8})
        await orders.publish({"id": 9}, event="order.updated")
        seen = await task
        assert [(each.event, each.data) for each in seen] == [
            ("message", Order(7)),
            ("order.updated", Order(9)),
        ]
        assert len((await orders.history()).publications) == 2
        del task
        await until(lambda: not subscriptions(server))  # who does not read any more is out


async def test_several_channels_each_with_readers_of_its_own() -> None:
    async with running_server() as server, Client(server.url, server.token()) as client:
        async with (
            client.channel("a").subscribe() as first,
            client.channel("a").subscribe() as second,
            client.channel("b").subscribe() as third,
        ):
            for number in range(3):
                await client.publish("a", number)
                await client.publish("b", -number)
            assert [each.data for each in await take(first, 3)] == [0, 1, 2]
            first.close()
            await client.publish("a", 3)
            assert [each.data for each in await take(second, 4)] == [0, 1, 2, 3]
            assert [each.data for each in await take(third, 3)] == [0, -1, -2]
            assert subscriptions(server) == {"a", "b"}
            with pytest.raises(StopAsyncIteration):
                await anext(first)
        await until(lambda: not subscriptions(server))


async def test_a_reader_that_is_forgotten_is_out() -> None:
    async with running_server() as server, Client(server.url, server.token()) as client:
        async for _ in _published(client):
            break
        gc.collect()
        await until(lambda: not subscriptions(server))


async def _published(client: Client) -> Any:
    async with client.channel("a").subscribe() as subscription:
        await client.publish("a", 1)
        async for each in subscription:
            yield each


async def test_what_was_before_comes_first() -> None:
    async with running_server() as server, Client(server.url, server.token()) as client:
        start = await client.publish("a", 0)
        for number in range(1, 4):
            await client.publish("a", number)
        async with client.channel("a", since=start).subscribe() as first:
            assert [each.data for each in await take(first, 3)] == [1, 2, 3]
            assert first.position is not None
            assert first.position.offset == 4
            # Another reads the same channel from elsewhere: from the log.
            async with client.channel("a").subscribe(since=start) as second:
                await client.publish("a", 4)
                assert [each.data for each in await take(second, 4)] == [1, 2, 3, 4]
            assert [each.data for each in await take(first, 1)] == [4]


async def test_gaps_are_told_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    gaps: list[Gap] = []

    async def before(peer: Peer) -> None:
        await peer.accept()
        await peer.give(subscribed((await peer.take("subscribe"))["id"], "a", 5))
        peer.cut()

    async def after(peer: Peer) -> None:
        command = await peer.take("connect")
        there = subscribed(0, "a", 90)
        await peer.give(connected(command["id"], resumed=True, subscriptions=[there]), publication("a", 91))
        await peer.stay()

    for on_gap in (gaps.append, None):
        async with (
            scripted(before, after) as url,
            Client(url) as client,
            client.channel("a", on_gap=on_gap).subscribe() as subscription,
        ):
            with caplog.at_level(logging.WARNING, "hubbub.client"):
                assert [each.offset for each in await take(subscription, 1)] == [91]
    assert gaps == [Gap("a", Position("e", 5), Position("e", 90))]
    assert [record.message for record in caplog.records] == ["a: publications are missing after offset 5"]


async def test_all_that_happens_in_a_channel() -> None:
    async with running_server() as server, Client(server.url, server.token("ada")) as ada:
        start = await ada.publish("a", 1)
        await ada.publish("a", 2)
        events = ada.channel("a").events(since=start)
        assert [type(each) for each in await take(events, 2)] == [Recovered, Publication]
        async with Client(server.url, server.token("bob")) as bob, bob.channel("a").subscribe():
            await until(lambda: len(subscriptions_of(server)) == 2)
            for session in list(server.app.hub.sessions.values()):
                if session.principal.user == "ada":
                    await server.app.hub.server_unsubscribe(session, "a")
            left = [each async for each in events]
            assert isinstance(left[-1], ServerUnsubscribed)
            assert [each.member.user for each in left if isinstance(each, Join)][-1] == "bob"


async def test_whom_the_server_takes_out_is_told() -> None:
    async with (
        running_server() as server,
        Client(server.url, server.token()) as client,
        client.channel("a").subscribe() as subscription,
    ):
        (session,) = server.app.hub.sessions.values()
        await server.app.hub.server_unsubscribe(session, "a")
        with pytest.raises(HubbubError, match="unsubscribed by the server"):
            await anext(subscription)


async def test_who_may_not_is_told_and_may_try_again() -> None:
    none: Any = {"a": {"subscribe": "nobody"}}
    async with running_server(namespaces=none) as server, Client(server.url, server.token()) as client:
        channel = client.channel("a:1")
        for _ in range(2):
            with pytest.raises(HubbubError) as refused:
                await anext(aiter(channel))
            assert refused.value.code == ErrorCode.PERMISSION_DENIED
        assert not client.channels.entries


async def test_two_who_enter_at_once_are_refused_at_once() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        command = await peer.take("subscribe")
        await asyncio.sleep(0.01)
        await peer.give(error(command["id"], ErrorCode.PERMISSION_DENIED))
        await peer.stay()

    async with scripted(script) as url, Client(url) as client:
        both = [asyncio.create_task(take(aiter(client.channel("a")), 1)) for _ in range(2)]
        answers = await asyncio.gather(*both, return_exceptions=True)
        assert [getattr(each, "code", None) for each in answers] == [ErrorCode.PERMISSION_DENIED] * 2


async def test_readers_end_with_the_client() -> None:
    async with running_server() as server:
        async with Client(server.url, server.token()) as client:
            task = asyncio.create_task(_all(client))
            await until(lambda: "a" in subscriptions(server))
        assert await task == []


async def _all(client: Client) -> list[Any]:
    return [each async for each in client.channel("a")]
