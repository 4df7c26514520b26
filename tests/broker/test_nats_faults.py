"""NATS goes away in many ways, and comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from tests.broker import nodes
from tests.broker.faults_case import KEPT, FaultsCase
from tests.broker.nats_case import Node, prefix, running
from tests.broker.nodes import started
from tests.waiting import until

from hubbub.model import Envelope
from hubbub.testing.contracts import publication
from hubbub.testing.nats import NatsServer
from hubbub.testing.proxy import FaultProxy

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[NatsServer]:
    with NatsServer() as server:
        yield server


class TestFaults(FaultsCase):
    told = 1

    @pytest.fixture(autouse=True)
    def at(self, server: NatsServer) -> None:
        self.server = server
        self.url = server.url
        self.prefix = prefix()

    def node(self) -> Node:
        return Node(self.url, self.prefix, within=1.0)

    def durable(self) -> Node:
        return Node(self.url, self.prefix, storage="file")

    @asynccontextmanager
    async def cutting(
        self, count: int, share: float = 1.0
    ) -> AsyncIterator[tuple[Sequence[Node], Callable[[], Awaitable[object]]]]:
        async with FaultProxy("127.0.0.1", self.server.port) as proxy:
            nodes = [Node(f"nats://127.0.0.1:{proxy.port}", self.prefix) for _ in range(count)]

            async def cut() -> None:
                proxy.reset()

            async with started(nodes):
                yield nodes, cut

    async def after_a_pause(self, here: nodes.Node[Any, Any], there: nodes.Node[Any, Any]) -> None:
        await until(lambda: here.missed)


async def test_what_the_others_could_not_hear_they_are_told_of(server: NatsServer) -> None:
    """Only this node's connection was lost: the others cannot know by themselves."""
    name = prefix()
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        nodes = Node(f"nats://127.0.0.1:{proxy.port}", name), Node(server.url, name)
        async with started(nodes) as (here, there):
            for node in nodes:
                await node.broker.subscribe("a")
            proxy.refusing = True
            proxy.reset()
            await until(lambda: not here.broker.condition.up)
            push = msgspec.structs.replace(publication("a", 3), epoch="chat", offset=9)
            await here.broker.publish(Envelope(push))
            assert not there.missed
            proxy.refusing = False
            await until(lambda: there.missed)


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
