"""PostgreSQL goes away in many ways, and comes back."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.broker import nodes
from tests.broker.faults_case import KEPT, FaultsCase
from tests.broker.nodes import started
from tests.broker.postgres_case import Node, running
from tests.waiting import until

from hubbub.model import Envelope
from hubbub.testing.contracts import publication
from hubbub.testing.postgres import Cluster, execute

pytestmark = pytest.mark.anyio

CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hubbub nodes'"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


class TestFaults(FaultsCase):
    told = 2

    @pytest.fixture(autouse=True)
    def at(self, cluster: Cluster) -> None:
        self.server = cluster
        self.url = cluster.create(f"faults_{secrets.token_hex(4)}")

    def node(self) -> Node:
        return Node(self.url)

    def durable(self) -> Node:
        return Node(self.url)

    @asynccontextmanager
    async def cutting(
        self, count: int, share: float = 1.0
    ) -> AsyncIterator[tuple[Sequence[Node], Callable[[], Awaitable[object]]]]:
        statement = f"{CUT} AND datname = '{self.url.rpartition('/')[2]}' AND random() < {share}"
        async with started([self.node() for _ in range(count)]) as nodes:
            yield nodes, lambda: asyncio.to_thread(execute, self.url, statement)

    async def after_a_pause(self, here: nodes.Node[Any, Any], there: nodes.Node[Any, Any]) -> None:
        assert there.heard()[-1] == b"5"


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
