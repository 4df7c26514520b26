from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.api.server import Server
from tests.hub.world import settle

from hubbub import __version__
from hubbub.cluster.cluster import Cluster
from hubbub.errors import FORCED, REVOKED, ErrorCode
from hubbub.state.memory import MemoryState
from hubbub.testing.clock import FakeClock
from hubbub.testing.cluster import SharedBroker

pytestmark = pytest.mark.anyio


class Two:
    """The APIs of two nodes of one cluster."""

    def __init__(self) -> None:
        clock = FakeClock()
        self.shared = SharedBroker(clock)
        state = MemoryState(clock)
        self.servers = [Server(broker=self.shared.node(), clock=clock) for _ in range(2)]
        self.clusters = [
            Cluster(server.world.hub, state, server.world.config, clock, server.policy.revocations)
            for server in self.servers
        ]

    async def start(self) -> None:
        for server, cluster in zip(self.servers, self.clusters, strict=True):
            await server.start()
            await cluster.start()
        await settle()

    async def stop(self) -> None:
        for server, cluster in zip(self.servers, self.clusters, strict=True):
            await cluster.stop()
            await server.stop()


@pytest.fixture
async def two() -> AsyncIterator[Two]:
    running = Two()
    await running.start()
    yield running
    await running.stop()


async def test_a_node_alone_is_the_only_one(server: Server) -> None:
    await server.connected("ada")
    (node,) = (await server.ok("GET", "/v1/nodes"))["nodes"]
    assert (node["id"], node["version"], node["sessions"]) == ("", __version__, 1)
    assert "incomplete" not in await server.ok("GET", "/v1/connections")


async def test_all_nodes_are_listed_by_each(two: Two) -> None:
    ids = sorted(cluster.nodes.id for cluster in two.clusters)
    for server, cluster in zip(two.servers, two.clusters, strict=True):
        listed = await server.ok("GET", "/v1/nodes")
        assert listed["node"] == cluster.nodes.id
        assert [each["id"] for each in listed["nodes"]] == ids


async def test_whoever_is_asked_knows_the_sessions_of_all(two: Two) -> None:
    one, other = two.servers
    ada, bob = await one.connected("ada", "a"), await other.connected("bob", "a")
    for server in two.servers:
        listed = (await server.ok("GET", "/v1/connections"))["connections"]
        assert {each["session"] for each in listed} == {ada.session, bob.session}
        seen = await server.ok("GET", f"/v1/connections/{bob.session}")
        assert (seen["user"], seen["node"]) == ("bob", two.clusters[1].nodes.id)
        (channel,) = (await server.ok("GET", "/v1/channels"))["channels"]
        assert channel == {"name": "a", "subscribers": 2}
        assert (await server.ok("GET", "/v1/channels/a"))["subscribers"] == 2


async def test_whoever_is_asked_reaches_them(two: Two) -> None:
    one, other = two.servers
    ada = await other.connected("ada")
    body = {"data": 1, "key": "k"}
    for _ in range(2):
        assert await one.ok("POST", "/v1/users/ada/publish", body) == {"sessions": 1}
        assert await one.ok("POST", f"/v1/connections/{ada.session}/publish", body) == {"sessions": 1}
    assert ada.texts() == [1, 1], "a key counts"
    assert await one.ok("POST", "/v1/users/ada/subscribe", {"channel": "a"}) == {"sessions": 1}
    assert await one.ok("POST", "/v1/users/ada/unsubscribe", {"channel": "a"}) == {"sessions": 1}
    assert await one.ok("POST", f"/v1/connections/{ada.session}/disconnect") == {"sessions": 1}
    assert ada.connection.closed == FORCED
    await one.refused(
        ErrorCode.NOT_FOUND, "POST", f"/v1/connections/{ada.session}/disconnect", field="session"
    )


async def test_access_is_revoked_everywhere_when_this_answers(two: Two) -> None:
    one, other = two.servers
    ada = await other.connected("ada", token_id="t1")
    assert await one.ok("POST", "/v1/revoke", {"token_id": "t1"}) == {"sessions": 1}
    assert ada.connection.closed == REVOKED
    again = other.world.client()
    reply = await again.ask(type="connect", token=other.token("ada", token_id="t1"))
    assert reply["type"] == "error"


async def test_who_did_not_answer_is_named(two: Two) -> None:
    one, other = two.servers
    ada = await other.connected("ada", "a")
    two.shared.nodes[0].cut_off()
    missing = [two.clusters[1].nodes.id]
    assert await one.ok("POST", "/v1/users/ada/publish", {"data": 1}) == {
        "sessions": 0,
        "incomplete": missing,
    }
    assert (await one.ok("GET", "/v1/connections"))["incomplete"] == missing
    assert (await one.ok("POST", "/v1/revoke", {"user": "ada"}))["incomplete"] == missing
    await one.refused(ErrorCode.NODE_UNAVAILABLE, "GET", f"/v1/connections/{ada.session}", field="session")
