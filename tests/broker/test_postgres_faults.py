"""PostgreSQL goes away in many ways, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
import pytest
from tests.broker.postgres_case import Node, running
from tests.broker.storm import storm
from tests.waiting import until

from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, Position, Retention
from hubbub.testing.contracts import publication
from hubbub.testing.postgres import Cluster, execute

pytestmark = pytest.mark.anyio

KEPT = Retention(1000, 600.0)
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hubbub nodes'"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


async def refused(node: Node, channel: str = "a") -> None:
    with pytest.raises(HubbubError) as refusal:
        await node.broker.publish(Envelope(publication(channel, 0)), KEPT)
    assert refusal.value.code is ErrorCode.BROKER_UNAVAILABLE


async def test_a_server_that_was_killed_has_logs_of_a_new_epoch(cluster: Cluster) -> None:
    url = await asyncio.to_thread(cluster.create, "killed")
    async with running(url, 2) as (here, there):
        for node in (here, there):
            await node.broker.subscribe("a")
        first = (await here.broker.publish(Envelope(publication("a", 1)), KEPT)).position
        assert first is not None
        await there.inbox.expect(1)
        await asyncio.to_thread(cluster.kill)
        try:
            await until(lambda: not here.broker.condition.up and not there.broker.condition.up)
            await refused(here)
            # What is kept nowhere, and what is kept elsewhere, is delivered here.
            await here.broker.publish(Envelope(publication("a", 2)))
            push = msgspec.structs.replace(publication("a", 3), epoch="chat", offset=9)
            await here.broker.publish(Envelope(push), KEPT)
            assert here.heard()[-2:] == [b"2", b"3"]
            assert here.metrics.broker_local_only == 2
            await there.broker.subscribe("b")
        finally:
            await asyncio.to_thread(cluster.start)
        await until(lambda: here.broker.condition.up and there.broker.condition.up)
        # At least once for what it did not hear, and once for what the other one could not say.
        await until(lambda: there.missed >= 2 and here.missed >= 1)
        history = await here.broker.history("a", KEPT, since=first)
        assert history.position.epoch != first.epoch
        assert not history.complete
        for channel in ("a", "b"):
            again = await here.broker.publish(Envelope(publication(channel, 4)), KEPT)
            assert again.position is not None
            assert again.position.offset == 1
        assert [bytes(each.data) for each in (await there.inbox.expect(3))[-2:]] == [b"4", b"4"]
        assert await there.broker.channels() == ["a", "b"]


async def test_a_server_that_was_stopped_keeps_its_logs(cluster: Cluster) -> None:
    url = await asyncio.to_thread(cluster.create, "stopped")
    async with running(url) as (node,):
        await node.broker.subscribe("a")
        first = await node.broker.publish(Envelope(publication("a", 1)), KEPT, key="k")
        await asyncio.to_thread(cluster.restart)
        await until(lambda: node.missed and node.broker.condition.up)
        assert first.position is not None
        second = (await node.broker.publish(Envelope(publication("a", 2)), KEPT)).position
        assert second == Position(first.position.epoch, 2)
        assert (await node.broker.publish(Envelope(publication("a", 1)), KEPT, key="k")).duplicate
        await node.inbox.expect(2)


async def test_a_server_that_is_paused_does_not_hold_up_what_is_here(cluster: Cluster) -> None:
    url = await asyncio.to_thread(cluster.create, "paused")
    async with running(url, 2) as (here, there):
        for node in (here, there):
            await node.broker.subscribe("a")
        await asyncio.to_thread(cluster.pause)
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
            await asyncio.to_thread(cluster.resume)
        await until(lambda: here.broker.condition.up and there.broker.condition.up)
        await here.broker.publish(Envelope(publication("a", 5)), KEPT)
        # If PostgreSQL has what it could not confirm, others hear it; here it was heard already.
        await until(lambda: b"5" in there.heard() and b"5" in here.heard())
        assert here.heard()[-1] == b"5"
        assert len(here.heard()) == 7
        assert there.heard()[-1] == b"5"


async def test_connections_that_are_cut_are_made_again_and_nothing_acknowledged_is_lost(
    cluster: Cluster,
) -> None:
    url = await asyncio.to_thread(cluster.create, "cut")
    async with running(url, 2) as (here, there):
        for node in (here, there):
            await node.broker.subscribe("a")
        accepted: dict[int, int] = {}

        async def publish(number: int) -> None:
            try:
                position = (await here.broker.publish(Envelope(publication("a", number)), KEPT)).position
            except HubbubError as error:
                assert error.code is ErrorCode.BROKER_UNAVAILABLE  # noqa: PT017
                return
            assert position is not None
            accepted[position.offset] = number

        for round in range(3):
            cut = asyncio.create_task(asyncio.to_thread(execute, cluster.url(), CUT))
            for number in range(round * 100, round * 100 + 100):
                await publish(number)
            await cut
        await until(lambda: here.broker.condition.up and there.broker.condition.up)
        assert here.missed
        assert there.missed
        history = await there.broker.history("a", KEPT, limit=1000)
        kept = {each.offset: int(bytes(each.data)) for each in history.publications}
        assert accepted.items() <= kept.items()
        assert sorted(offset or 0 for offset in kept) == list(range(1, history.position.offset + 1))
        assert len(accepted) > 200
        heard = [each.offset for each in there.inbox.publications]
        assert heard == sorted(set(heard), key=lambda offset: offset or 0)
        await here.broker.publish(Envelope(publication("a", 1000)), KEPT)
        await until(lambda: b"1000" in there.heard())


async def test_who_hears_nothing_listens_anew(cluster: Cluster) -> None:
    async with running(await asyncio.to_thread(cluster.create, "deaf"), 2) as (here, there):
        await there.broker.subscribe("a")
        listener = there.engine._listener
        deaf = listener._connection
        await deaf.execute("UNLISTEN *")
        await here.broker.publish(Envelope(publication("a", 1)))
        await until(lambda: there.missed)
        assert listener._connection is not deaf
        assert there.metrics.engine_errors["postgresql", "deaf"] == 1
        await here.broker.publish(Envelope(publication("a", 2)))
        await there.inbox.expect(1)
        await until(lambda: there.broker.condition.up)


async def test_it_starts_without_a_server_and_begins_when_there_is_one(cluster: Cluster) -> None:
    url = await asyncio.to_thread(cluster.create, "late")
    await asyncio.to_thread(cluster.stop)
    node = Node(url)
    await node.broker.start(node.inbox, node.on_missed)
    try:
        await node.broker.subscribe("a")
        await refused(node)
        assert not node.broker.condition.up
    finally:
        await asyncio.to_thread(cluster.start)
    await until(lambda: node.broker.condition.up)
    await node.broker.publish(Envelope(publication("a", 1)), KEPT)
    await node.inbox.expect(1)
    await node.broker.stop()


async def test_what_a_dump_brings_back_is_not_taken_for_the_logs(cluster: Cluster) -> None:
    url = await asyncio.to_thread(cluster.create, "dumped")
    async with running(url) as (node,):
        old = (await node.broker.publish(Envelope(publication("a", 1)), KEPT)).position
        assert old is not None
    copy = await asyncio.to_thread(cluster.create, "restored", template="dumped")
    async with running(copy) as (node,):
        history = await node.broker.history("a", KEPT, since=old)
        assert history.position.epoch != old.epoch
        assert not history.complete
    async with running(url) as (node,):
        assert (await node.broker.history("a", KEPT, since=old)).complete


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_storm_of_cuts(cluster: Cluster, seed: int) -> None:
    url = await asyncio.to_thread(cluster.create, f"storm{seed}")
    half = CUT + " AND random() < 0.5"
    async with running(url, 3) as nodes:
        await storm(nodes, lambda: asyncio.to_thread(execute, cluster.url(), half), seed)
