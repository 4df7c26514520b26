"""What befalls any server that a broker stands on, and what becomes of the broker: NATS and PostgreSQL alike.

Redis has faults of its own (`test_redis_faults.py`): what it keeps outlives connections only, and epochs tell.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import msgspec
import pytest
from tests.broker.nodes import Node, started
from tests.broker.storm import storm
from tests.waiting import until

from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, Position, Retention
from hubbub.testing.contracts import publication
from hubbub.testing.processes import ServerProcess

KEPT = Retention(1000, 600.0)


async def refused(node: Node[Any, Any], channel: str = "a") -> None:
    with pytest.raises(HubbubError) as refusal:
        await node.broker.publish(Envelope(publication(channel, 0)), KEPT)
    assert refusal.value.code is ErrorCode.BROKER_UNAVAILABLE


class FaultsCase(ABC):
    """Each test has logs of its own. Subclasses set `server`, which tests end and start as they like."""

    pytestmark = pytest.mark.anyio

    told: ClassVar[int]
    """How often a node says that it may have missed something when it did not hear, and another one could not say."""

    server: ServerProcess

    @abstractmethod
    def node(self) -> Node[Any, Any]:
        """One of this test's nodes, not started."""

    @abstractmethod
    def durable(self) -> Node[Any, Any]:
        """One whose logs outlive the server."""

    @abstractmethod
    def cutting(
        self, count: int, share: float = 1.0
    ) -> AbstractAsyncContextManager[tuple[Sequence[Node[Any, Any]], Callable[[], Awaitable[object]]]]:
        """Nodes that are up, and what cuts that share of their connections, at least."""

    @abstractmethod
    async def after_a_pause(self, here: Node[Any, Any], there: Node[Any, Any]) -> None:
        """What else the nodes have seen: `here` published five, which are fleeting, while the server did nothing."""

    async def test_a_server_that_was_killed_has_logs_of_a_new_epoch(self) -> None:
        async with started([self.node(), self.node()]) as (here, there):
            for node in (here, there):
                await node.broker.subscribe("a")
            first = (await here.broker.publish(Envelope(publication("a", 1)), KEPT)).position
            assert first is not None
            await there.inbox.expect(1)
            await asyncio.to_thread(self.server.kill)
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
                await asyncio.to_thread(self.server.start)
            await until(lambda: here.broker.condition.up and there.broker.condition.up)
            await until(lambda: there.missed >= self.told and here.missed)
            history = await here.broker.history("a", KEPT, since=first)
            assert history.position.epoch != first.epoch
            assert not history.complete
            for channel in ("a", "b"):
                again = await here.broker.publish(Envelope(publication(channel, 4)), KEPT)
                assert again.position is not None
                assert again.position.offset == 1
            await until(lambda: there.heard()[-2:] == [b"4", b"4"])
            assert await there.broker.channels() == ["a", "b"]

    async def test_logs_that_are_on_disk_outlive_the_server(self) -> None:
        async with started([self.durable()]) as (node,):
            await node.broker.subscribe("a")
            first = await node.broker.publish(Envelope(publication("a", 1)), KEPT, key="k")
            await asyncio.to_thread(self.server.restart)
            await until(lambda: node.missed and node.broker.condition.up)
            assert first.position is not None
            second = (await node.broker.publish(Envelope(publication("a", 2)), KEPT)).position
            assert second == Position(first.position.epoch, 2)
            assert (await node.broker.publish(Envelope(publication("a", 1)), KEPT, key="k")).duplicate
            await node.inbox.expect(2)

    async def test_a_server_that_is_paused_does_not_hold_up_what_is_here(self) -> None:
        async with started([self.node(), self.node()]) as (here, there):
            for node in (here, there):
                await node.broker.subscribe("a")
            await asyncio.to_thread(self.server.pause)
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
                await asyncio.to_thread(self.server.resume)
            await until(lambda: here.broker.condition.up and there.broker.condition.up)
            # If the server has what it could not confirm, others hear it; here it was heard already.
            await here.broker.publish(Envelope(publication("a", 5)), KEPT)
            await until(lambda: b"5" in there.heard() and b"5" in here.heard())
            assert here.heard()[-1] == b"5"
            assert len(here.heard()) == 7
            await self.after_a_pause(here, there)

    async def test_connections_that_are_cut_are_made_again_and_nothing_acknowledged_is_lost(self) -> None:
        async with self.cutting(2) as ((here, there), cut):
            for node in (here, there):
                await node.broker.subscribe("a")
            accepted: dict[int, int] = {}
            for start in range(0, 300, 60):
                cutting = asyncio.ensure_future(cut())
                for number in range(start, start + 60):
                    try:
                        push = Envelope(publication("a", number))
                        position = (await here.broker.publish(push, KEPT)).position
                    except HubbubError as error:
                        assert error.code is ErrorCode.BROKER_UNAVAILABLE  # noqa: PT017
                        await asyncio.sleep(0.02)
                        continue
                    assert position is not None
                    accepted[position.offset] = number
                await cutting
            await until(lambda: here.broker.condition.up and there.broker.condition.up)
            await until(lambda: here.missed and there.missed)
            history = await there.broker.history("a", KEPT, limit=1000)
            kept = {each.offset or 0: int(bytes(each.data)) for each in history.publications}
            assert accepted.items() <= kept.items()
            assert sorted(kept) == list(range(1, history.position.offset + 1))
            assert len(accepted) > 150
            heard = [each.offset or 0 for each in there.inbox.publications]
            assert heard == sorted(set(heard))
            await here.broker.publish(Envelope(publication("a", 1000)), KEPT)
            await until(lambda: b"1000" in there.heard())

    async def test_it_starts_without_a_server_and_begins_when_there_is_one(self) -> None:
        node = self.node()
        await asyncio.to_thread(self.server.kill)
        await node.start()
        try:
            await node.broker.subscribe("a")
            await refused(node)
            assert not node.broker.condition.up
        finally:
            await asyncio.to_thread(self.server.start)
        await until(lambda: node.broker.condition.up)
        await node.broker.publish(Envelope(publication("a", 1)), KEPT)
        await node.inbox.expect(1)
        await node.broker.stop()

    @pytest.mark.parametrize("seed", [1, 2])
    async def test_a_storm_of_cuts(self, seed: int) -> None:
        async with self.cutting(3, 0.5) as (nodes, cut):
            await storm(nodes, cut, seed)
