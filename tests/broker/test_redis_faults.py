"""Redis killed, paused, flushed and replaced under publishers: what was acknowledged is there, or the epoch is new."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
import pytest
from pydantic import SecretStr
from tests.broker.redis_case import KEPT, Node, running
from tests.waiting import until

from hubbub.config.cluster import RedisConfig
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, Position
from hubbub.testing.contracts import publication
from hubbub.testing.redis import RedisServer, Sentinels

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["forgetful", "durable"])
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with RedisServer(durable=request.param) as server:
        yield server


@pytest.fixture
def durable() -> Iterator[RedisServer]:
    with RedisServer(durable=True) as server:
        yield server


@pytest.fixture
def sentinels() -> Iterator[Sentinels]:
    with Sentinels() as sentinels:
        yield sentinels


@pytest.fixture
def config(server: RedisServer) -> RedisConfig:
    return RedisConfig(url=SecretStr(server.url), timeout=0.5)


class Crowd:
    """Publishers on all nodes that go on and on in one channel, each with its own numbers, and what they were told."""

    def __init__(self, nodes: list[Node], channel: str) -> None:
        self.nodes = nodes
        self.channel = channel
        self.said: dict[Position, bytes] = {}
        self.refused = 0
        self.going = True
        self.tasks = [
            asyncio.create_task(self._publish(node, f"{index}.{name}"))
            for index, node in enumerate(nodes)
            for name in range(3)
        ]

    async def _publish(self, node: Node, name: str) -> None:
        number = 0
        while self.going:
            number += 1
            data = f'"{name}.{number}"'
            key = f"{name}.{number}" if number % 2 else None
            try:
                accepted = await node.publish(Envelope(publication(self.channel, data)), KEPT, key=key)
            except HubbubError as error:
                if error.code is not ErrorCode.BROKER_UNAVAILABLE:
                    raise
                self.refused += 1
                await asyncio.sleep(0.01)
            else:
                assert accepted.position is not None
                assert accepted.position not in self.said, "one place was given twice"
                self.said[accepted.position] = data.encode()

    async def more(self, count: int = 50) -> None:
        """Wait until so many more were accepted."""
        wanted = len(self.said) + count
        await until(lambda: len(self.said) >= wanted)

    async def end(self) -> None:
        self.going = False
        await asyncio.gather(*self.tasks)

    async def judge(self) -> set[str]:
        """All that is known agrees, and of the last epoch nothing is missing. Returns the epochs there were."""
        places = dict(self.said)
        for node in self.nodes:
            last: dict[str, int] = {}
            for push in node.inbox.publications:
                assert push.epoch is not None
                assert push.offset is not None
                place = Position(push.epoch, push.offset)
                assert places.setdefault(place, bytes(push.data)) == bytes(push.data), (
                    "a place was used twice"
                )
                assert push.offset > last.get(push.epoch, 0), "delivered twice, or out of order"
                last[push.epoch] = push.offset
        histories = [await node.history(self.channel, KEPT, limit=10_000) for node in self.nodes]
        assert histories[0] == histories[1]
        head, kept = histories[0].position, histories[0].publications
        assert [push.offset for push in kept] == list(range(head.offset - len(kept) + 1, head.offset + 1))
        assert len(kept) == min(head.offset, KEPT.size)  # they may say more than is kept while they wait
        found = {Position(push.epoch or "", push.offset or 0): bytes(push.data) for push in kept}
        for place, data in self.said.items():
            if place.epoch == head.epoch and place.offset > head.offset - len(kept):
                assert found[place] == data, "acknowledged and lost"
        assert len({push.id for push in kept}) == len(kept)
        return {place.epoch for place in places} | {head.epoch}


@pytest.mark.parametrize("fault", ["kill", "pause", "flush", "clients"])
async def test_what_was_acknowledged_is_there_or_the_epoch_is_new(
    server: RedisServer, config: RedisConfig, fault: str
) -> None:
    async with running(config) as nodes:
        for node in nodes:
            await node.subscribe("a")
        crowd = Crowd(nodes, "a")
        for _ in range(3):
            await crowd.more()
            refused = crowd.refused
            if fault == "kill":
                await asyncio.to_thread(server.kill)
                await until(lambda refused=refused: crowd.refused > refused)  # type: ignore[misc]
                await asyncio.to_thread(server.start)
            elif fault == "pause":
                server.pause()
                await until(lambda refused=refused: crowd.refused > refused)  # type: ignore[misc]
                server.resume()
            elif fault == "flush":
                await asyncio.to_thread(server.flush)
            else:
                await asyncio.to_thread(server.ask, "CLIENT", "KILL", "TYPE", "normal")
                await asyncio.to_thread(server.ask, "CLIENT", "KILL", "TYPE", "pubsub")
            await crowd.more()
        await until(lambda: all(node.condition.up for node in nodes))
        await crowd.end()
        epochs = await crowd.judge()
        assert len(epochs) == (4 if fault in ("kill", "flush") else 1)
        for node in nodes:
            before = len(node.inbox.envelopes)
            await nodes[0].say("a", '"last"')
            await until(lambda node=node, before=before: len(node.inbox.envelopes) > before)  # type: ignore[misc]


async def test_after_a_restart_of_a_durable_one_all_is_kept_in_a_new_epoch(durable: RedisServer) -> None:
    """It may have lost the last of it: who resumes is told so, who reads finds what there is."""
    async with running(RedisConfig(url=SecretStr(durable.url), timeout=0.5)) as (here, there):
        await there.subscribe("a")
        for number in range(1, 6):
            before = await here.say("a", number)
        missed = there.inbox.missed
        await asyncio.to_thread(durable.restart)
        await until(lambda: there.inbox.missed > missed and here.condition.up and there.condition.up)
        history = await there.history("a", KEPT, since=before)
        assert not history.complete
        assert [bytes(push.data) for push in history.publications] == [b"1", b"2", b"3", b"4", b"5"]
        after = await here.say("a", 6)
        assert after == Position(history.position.epoch, 6)
        assert after.epoch != before.epoch


async def test_a_failover_begins_a_new_epoch(sentinels: Sentinels) -> None:
    """The replica may know less than was acknowledged, and gives the same offsets again."""
    config = RedisConfig(mode="sentinel", nodes=sentinels.nodes, timeout=0.5)
    async with running(config) as nodes:
        for node in nodes:
            await node.subscribe("a")
        crowd = Crowd(nodes, "a")
        await crowd.more()
        old = {place.epoch for place in crowd.said}
        await asyncio.to_thread(sentinels.master.kill)
        await until(lambda: any(place.epoch not in old for place in crowd.said))
        await crowd.more()
        await until(lambda: all(node.condition.up for node in nodes))
        await crowd.end()
        assert len(await crowd.judge()) == 2
        assert all(node.inbox.missed for node in nodes)


async def test_who_follows_is_told_that_redis_forgot_though_nobody_publishes(
    server: RedisServer, config: RedisConfig
) -> None:
    async with running(config, 1) as (node,):
        await node.subscribe("a")
        before = await node.say("a", 1)
        missed = node.inbox.missed
        await asyncio.to_thread(server.flush)
        await until(lambda: node.inbox.missed > missed)
        head = (await node.history("a", KEPT, limit=0)).position
        assert (head.offset, head.epoch != before.epoch) == (0, True)


async def test_while_redis_is_away_this_node_serves_its_own(server: RedisServer, config: RedisConfig) -> None:
    async with running(config) as (here, there):
        for node in (here, there):
            await node.subscribe("a")
        await asyncio.to_thread(server.kill)
        for number in range(1, 4):
            await here.publish(Envelope(publication("a", number)))
            push = msgspec.structs.replace(publication("a", number), id="id", epoch="kept", offset=number)
            await here.publish(Envelope(push))
        assert here.heard() == [b"1", b"1", b"2", b"2", b"3", b"3"]
        assert here.metrics.broker_local_only == 6
        await here.publish(Envelope(publication("a", 4)), key="k")
        assert here.heard()[-1] == b"4"
        for refused in (here.say("a", 5), here.history("a", KEPT), here.channels()):
            with pytest.raises(HubbubError) as refusal:
                await refused
            assert refusal.value.code is ErrorCode.BROKER_UNAVAILABLE
        await until(lambda: not here.condition.up and not there.condition.up)

        # Who comes now is served, too, and hears the others when Redis is back.
        await here.subscribe("b")
        await here.publish(Envelope(publication("b", 6)))
        assert here.heard()[-1] == b"6"
        await here.subscribe("c")
        await here.unsubscribe("c")
        heard = len(here.inbox.envelopes)
        missed = here.inbox.missed, there.inbox.missed
        await asyncio.to_thread(server.start)
        await until(lambda: here.inbox.missed > missed[0] and there.inbox.missed > missed[1])
        await until(lambda: here.condition.up and there.condition.up)
        assert len(here.inbox.envelopes) == heard
        assert there.inbox.envelopes == []
        for channel in "abc":
            await there.say(channel, 7)
        assert [push.channel for push in (await here.inbox.expect(heard + 2))[-2:]] == ["a", "b"]


async def test_a_node_that_starts_before_redis_is_there_when_it_comes(
    server: RedisServer, config: RedisConfig
) -> None:
    await asyncio.to_thread(server.kill)
    node = Node(config)
    await node.start()
    try:
        assert not node.condition.up
        await node.subscribe("a")
        await node.publish(Envelope(publication("a", 1)))
        await node.inbox.expect(1)
        await asyncio.to_thread(server.start)
        await until(lambda: node.condition.up)
        await node.say("a", 2)
        assert [bytes(push.data) for push in await node.inbox.expect(2)] == [b"1", b"2"]
    finally:
        await node.stop()


async def test_what_a_paused_one_does_later_is_delivered_once(
    server: RedisServer, config: RedisConfig
) -> None:
    """It reads what was sent to it before, from connections that have been given up."""
    async with running(config) as (here, there):
        for node in (here, there):
            await node.subscribe("a")
        server.pause()
        await here.publish(Envelope(publication("a", 1)))
        assert here.heard() == [b"1"]
        with pytest.raises(HubbubError):
            await there.say("a", 2)
        server.resume()
        await until(lambda: here.condition.up and there.condition.up)
        for node in (here, there):
            await node.engine.settle()
        assert here.heard().count(b"1") == 1
        assert there.heard().count(b"1") <= 1
        history = await here.history("a", KEPT)
        assert len(history.publications) <= 1
        assert (await here.say("a", 3)).offset == history.position.offset + 1


async def test_a_full_redis_accepts_nothing_and_carries_what_it_can(
    server: RedisServer, config: RedisConfig
) -> None:
    async with running(config, 1) as (node,):
        await node.subscribe("a")
        await node.say("old", 1)
        await asyncio.to_thread(server.ask, "CONFIG", "SET", "maxmemory", "1")
        for channel in ("a", "old"):
            with pytest.raises(HubbubError) as refusal:
                await node.say(channel, 1)
            assert refusal.value.code is ErrorCode.BROKER_UNAVAILABLE
        await node.publish(Envelope(publication("a", 2)))
        await until(lambda: b"2" in node.heard())
        await asyncio.to_thread(server.ask, "CONFIG", "SET", "maxmemory", "0")
        assert await node.say("a", 3)
