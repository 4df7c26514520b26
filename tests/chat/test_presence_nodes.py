"""Who is there, where several nodes have the user's sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from tests.chat.world import World
from tests.hub.world import Client, settle

from hubbub.cluster.cluster import Cluster
from hubbub.state.memory import MemoryState
from hubbub.storage.tables import users
from hubbub.testing.clock import FakeClock
from hubbub.testing.cluster import NodeState, SharedBroker

pytestmark = pytest.mark.anyio
GRACE = 5.0


class Nodes:
    def __init__(self, url: str) -> None:
        self.clock = FakeClock()
        self.shared = SharedBroker(self.clock)
        self.state = MemoryState(self.clock)
        self.worlds: list[World] = []
        self.clusters: list[Cluster] = []
        for _ in range(2):
            beside = self.worlds[0] if self.worlds else None
            broker = self.shared.node()
            world = World(
                url,
                beside=beside,
                broker=broker,
                clock=self.clock,
                chat={"presence_grace": GRACE},
                sessions={"resume_window": 0},
            )
            cluster = Cluster(world.hub, NodeState(self.state), world.config, self.clock)
            world.chat.presence.join(cluster.bus, cluster.nodes)
            self.worlds.append(world)
            self.clusters.append(cluster)

    async def start(self) -> None:
        for world, cluster in zip(self.worlds, self.clusters, strict=True):
            await world.start()
            await cluster.start()
        await self.worlds[0].group("ada", "bob")
        await self.worlds[0].do("me.update", "ada", show_last_seen="contacts")
        await self.pass_by(1)

    async def stop(self) -> None:
        for world, cluster in zip(self.worlds, self.clusters, strict=True):
            await cluster.stop()
            await world.stop()

    async def pass_by(self, seconds: float) -> None:
        for _ in range(round(seconds * 4)):
            self.clock.advance(0.25)
            await settle()
        for world in self.worlds:
            await world.read(lambda view: None)  # and so is what was written before
        await settle()

    async def following(self, number: int) -> Client:
        bob = await self.worlds[number].client("bob")
        bob.send(type="call", method="chat.presence.follow", params={"users": ["ada"]})
        await self.told(bob, "subscribed")
        bob.take()
        return bob

    async def told(self, client: Client, kind: str) -> None:
        while not any(each["type"] == kind for each in client.peek()):
            await self.worlds[0].read(lambda view: None)
            await settle()

    async def seen(self, number: int) -> dict[str, Any]:
        (known,) = (await self.worlds[number].do("presence.query", "bob", users=["ada"])).users
        return {"availability": known.availability, "last_seen": known.last_seen}

    async def last_seen(self) -> Any:
        query = sa.select(users.c.last_seen).where(users.c.id == "ada")
        return await self.worlds[0].read(lambda view: view.execute(query).scalar())


@pytest.fixture
async def nodes(postgres_url: str) -> AsyncIterator[Nodes]:
    running = Nodes(postgres_url)
    await running.start()
    yield running
    await running.stop()


def heard(client: Client) -> list[str]:
    return [push["data"]["availability"] for push in client.take("publication")]


async def test_online_on_any_node_is_online_and_away_is_on_all(nodes: Nodes) -> None:
    here, there = await nodes.following(0), await nodes.following(1)
    one = await nodes.worlds[0].client("ada")
    await nodes.pass_by(0.25)
    assert (heard(here), heard(there)) == (["online"], ["online"])
    two = await nodes.worlds[1].client("ada")
    await nodes.pass_by(0.25)
    for number, client in enumerate((one, two)):
        session = nodes.worlds[number].hub.sessions[client.session]
        nodes.worlds[number].chat.presence.set_away([session], True)
        await nodes.pass_by(0.25)
        assert [(await nodes.seen(each))["availability"] for each in range(2)] == [
            ("online", "away")[number]
        ] * 2
    assert (heard(here), heard(there)) == (["away"], ["away"])
    await nodes.worlds[0].do("presence.set", "ada", away=False)
    await nodes.pass_by(0.25)
    assert (heard(here), heard(there)) == (["online"], ["online"])
    two.drop()
    await nodes.pass_by(GRACE + 1)
    assert (heard(here), heard(there)) == ([], [])
    assert await nodes.last_seen() is None


async def test_the_last_session_of_all_nodes_is_seen_once(nodes: Nodes) -> None:
    here, there = await nodes.following(0), await nodes.following(1)
    ada = await nodes.worlds[0].client("ada")
    await nodes.pass_by(0.25)
    ada.drop()
    await nodes.pass_by(GRACE - 0.5)
    assert (heard(here), heard(there)) == (["online"], ["online"])
    await nodes.pass_by(1)
    for client in (here, there):
        await nodes.told(client, "publication")
        (push,) = client.take("publication")
        assert push["data"]["availability"] == "offline"
        assert push["data"]["last_seen"] == await nodes.last_seen()
    for number in range(2):
        assert await nodes.seen(number) == {"availability": "offline", "last_seen": await nodes.last_seen()}


async def test_a_client_that_comes_back_on_another_node_was_never_gone(nodes: Nodes) -> None:
    here, there = await nodes.following(0), await nodes.following(1)
    ada = await nodes.worlds[0].client("ada")
    await nodes.pass_by(0.25)
    ada.drop()
    await nodes.pass_by(1)
    await nodes.worlds[1].client("ada")
    await nodes.pass_by(2 * GRACE)
    assert (heard(here), heard(there)) == (["online"], ["online"])
    assert await nodes.last_seen() is None


async def test_the_users_of_a_dead_node_are_offline_within_its_lease_and_the_grace(nodes: Nodes) -> None:
    there = await nodes.following(1)
    await nodes.worlds[0].client("ada")
    await nodes.pass_by(0.5)
    assert heard(there) == ["online"]
    nodes.shared.nodes[0].kill()
    nodes.clusters[0].nodes._running = False
    await nodes.pass_by(5.25 + GRACE)
    await nodes.told(there, "publication")
    assert heard(there) == ["offline"]
    assert await nodes.last_seen() is not None
    assert (await nodes.seen(1))["availability"] == "offline"


async def test_with_the_broker_away_each_node_tells_its_own(nodes: Nodes) -> None:
    here, there = await nodes.following(0), await nodes.following(1)
    for broker in nodes.shared.nodes:
        broker.cut_off()
    await nodes.worlds[0].client("ada")
    await nodes.pass_by(1)
    assert (heard(here), heard(there)) == (["online"], [])
    for broker in nodes.shared.nodes:
        broker.rejoin()
    await nodes.pass_by(2)
    assert (heard(here), heard(there)) == ([], ["online"])
