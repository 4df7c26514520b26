"""NATS goes away in many ways, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
import pytest
from tests.broker.nats_case import Node, prefix, running
from tests.broker.storm import storm
from tests.waiting import until

from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, Position, Retention
from hubbub.testing.contracts import publication
from hubbub.testing.nats import NatsServer
from hubbub.testing.proxy import FaultProxy

pytestmark = pytest.mark.anyio

KEPT = Retention(1000, 600.0)


@pytest.fixture
def server() -> Iterator[NatsServer]:
    with NatsServer() as server:
        yield server


async def refused(node: Node, channel: str = "a") -> None:
    with pytest.raises(HubbubError) as refusal:
        await node.broker.publish(Envelope(publication(channel, 0)), KEPT)
    assert refusal.value.code is ErrorCode.BROKER_UNAVAILABLE


async def test_a_server_that_was_killed_has_logs_of_a_new_epoch(server: NatsServer) -> None:
    async with running(server.url, 2) as (here, there):
        for node in (here, there):
            await node.broker.subscribe("a")
        first = (await here.broker.publish(Envelope(publication("a", 1)), KEPT)).position
        assert first is not None
        await there.inbox.expect(1)
        await asyncio.to_thread(server.kill)
        try:
            await until(lambda: not here.broker.condition.up and not there.broker.condition.up)
            await refused(here)
            # What is kept nowhere, and what is kept elsewhere, is delivered here.
            await here.broker.publish(Envelope(publication("a", 2)))
            await here.broker.publish(Envelope(publication("a", 2)), key="k")
            push = msgspec.structs.replace(publication("a", 3), epoch="chat", offset=9)
            await here.broker.publish(Envelope(push), KEPT)
            assert here.heard()[-3:] == [b"2", b"2", b"3"]
            assert here.metrics.broker_local_only == 3
            await there.broker.subscribe("b")
        finally:
            await asyncio.to_thread(server.start)
        await until(lambda: here.broker.condition.up and there.broker.condition.up)
        # Once for what it did not hear, and once for what the other one could not say.
        await until(lambda: there.missed >= 1 and here.missed >= 1)
        history = await here.broker.history("a", KEPT, since=first)
        assert history.position.epoch != first.epoch
        assert not history.complete
        for channel in ("a", "b"):
            again = await here.broker.publish(Envelope(publication(channel, 4)), KEPT)
            assert again.position is not None
            assert again.position.offset == 1
        await until(lambda: there.heard()[-2:] == [b"4", b"4"])
        assert await there.broker.channels() == ["a", "b"]


async def test_logs_in_files_outlive_the_server(server: NatsServer) -> None:
    node = Node(server.url, prefix(), storage="file")
    await node.broker.start(node.inbox, node.on_missed)
    await node.broker.subscribe("a")
    first = await node.broker.publish(Envelope(publication("a", 1)), KEPT, key="k")
    await asyncio.to_thread(server.restart)
    await until(lambda: node.missed and node.broker.condition.up)
    assert first.position is not None
    second = (await node.broker.publish(Envelope(publication("a", 2)), KEPT)).position
    assert second == Position(first.position.epoch, 2)
    assert (await node.broker.publish(Envelope(publication("a", 1)), KEPT, key="k")).duplicate
    await node.inbox.expect(2)
    await node.broker.stop()


async def test_a_server_that_is_paused_does_not_hold_up_what_is_here(server: NatsServer) -> None:
    async with running(server.url, 2, within=0.5) as (here, there):
        for node in (here, there):
            await node.broker.subscribe("a")
        await asyncio.to_thread(server.pause)
        try:
            fleeting = [
                asyncio.create_task(here.broker.publish(Envelope(publication("a", number))))
                for number in range(5)
            ]
            push = msgspec.structs.replace(publication("a", 100), epoch="chat", offset=1)
            await here.broker.publish(Envelope(push))
            assert here.heard() == [b"100"]
            await asyncio.gather(*fleeting)
            assert here.heard() == [b"100", b"0", b"1", b"2", b"3", b"4"]
            await refused(here)
            assert not here.broker.condition.up
        finally:
            await asyncio.to_thread(server.resume)
        await until(lambda: here.broker.condition.up and there.broker.condition.up)
        await here.broker.publish(Envelope(publication("a", 5)), KEPT)
        await until(lambda: b"5" in there.heard() and b"5" in here.heard())
        assert here.heard()[-1] == b"5"
        assert len(here.heard()) == 7
        await until(lambda: here.missed)


async def test_what_the_others_could_not_hear_they_are_told_of(server: NatsServer) -> None:
    """Only this node's connection was lost: the others cannot know by themselves."""
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        name = prefix()
        here = Node(f"nats://127.0.0.1:{proxy.port}", name)
        there = Node(server.url, name)
        for node in (here, there):
            await node.broker.start(node.inbox, node.on_missed)
            await node.broker.subscribe("a")
        proxy.refusing = True
        proxy.reset()
        await until(lambda: not here.broker.condition.up)
        push = msgspec.structs.replace(publication("a", 3), epoch="chat", offset=9)
        await here.broker.publish(Envelope(push))
        assert not there.missed
        proxy.refusing = False
        await until(lambda: there.missed)
        for node in (here, there):
            await node.broker.stop()


async def test_connections_that_are_cut_are_made_again_and_nothing_acknowledged_is_lost(
    server: NatsServer,
) -> None:
    async with (
        FaultProxy("127.0.0.1", server.port) as proxy,
        running(f"nats://127.0.0.1:{proxy.port}", 2) as (here, there),
    ):
        for node in (here, there):
            await node.broker.subscribe("a")
        accepted: dict[int, int] = {}
        for number in range(300):
            if number % 60 == 30:
                proxy.reset()
            try:
                push = Envelope(publication("a", number))
                position = (await here.broker.publish(push, KEPT)).position
            except HubbubError as error:
                assert error.code is ErrorCode.BROKER_UNAVAILABLE  # noqa: PT017
                await asyncio.sleep(0.02)
                continue
            assert position is not None
            accepted[position.offset] = number
        await until(lambda: here.broker.condition.up and there.broker.condition.up)
        assert here.missed
        assert there.missed
        history = await there.broker.history("a", KEPT, limit=1000)
        kept = {each.offset or 0: int(bytes(each.data)) for each in history.publications}
        assert accepted.items() <= kept.items()
        assert sorted(kept) == list(range(1, history.position.offset + 1))
        assert len(accepted) > 150
        heard = [each.offset or 0 for each in there.inbox.publications]
        assert heard == sorted(set(heard))


async def test_who_hears_nothing_connects_anew(server: NatsServer) -> None:
    async with (
        FaultProxy("127.0.0.1", server.port) as proxy,
        running(f"nats://127.0.0.1:{proxy.port}", within=0.5) as (node,),
    ):
        await node.broker.subscribe("a")
        proxy.to_client.black_hole = True
        await until(lambda: not node.broker.condition.up)
        proxy.to_client.black_hole = False
        await until(lambda: node.missed and node.broker.condition.up)
        await node.broker.publish(Envelope(publication("a", 2)), KEPT)
        await node.inbox.expect(1)


async def test_it_starts_without_a_server_and_begins_when_there_is_one(server: NatsServer) -> None:
    await asyncio.to_thread(server.kill)
    node = Node(server.url, prefix())
    await node.broker.start(node.inbox, node.on_missed)
    await node.broker.subscribe("a")
    await refused(node)
    assert not node.broker.condition.up
    await asyncio.to_thread(server.start)
    await until(lambda: node.broker.condition.up)
    await node.broker.publish(Envelope(publication("a", 1)), KEPT)
    await node.inbox.expect(1)
    await node.broker.stop()


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_storm_of_cuts(server: NatsServer, seed: int) -> None:
    async with (
        FaultProxy("127.0.0.1", server.port) as proxy,
        running(f"nats://127.0.0.1:{proxy.port}", 3) as nodes,
    ):

        async def cut() -> None:
            proxy.reset()

        await storm(nodes, cut, seed)
