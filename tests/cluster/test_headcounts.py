"""`limits.connections_per_user` on all nodes together."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cluster.several import Node, Several
from tests.hub.world import Client, settle

from hubbub.cluster.headcounts import SETTLED, SHARE
from hubbub.errors import USER_LIMIT, ErrorCode

pytestmark = pytest.mark.anyio
LEASE = 4.0


def several(count: int = 3, limit: int = 3, **settings: Any) -> Several:
    return Several(count, limits={"connections_per_user": limit}, **settings)


async def told(nodes: Several) -> None:
    """What has changed has been told, and what is told because of that."""
    await nodes.pass_by(0.5)


async def refused(node: Node, user: str = "ada") -> None:
    client = node.world.client()
    reply = await client.ask(type="connect", token=user)
    assert reply.get("code") == ErrorCode.LIMIT_EXCEEDED, reply
    assert client.connection.closed is USER_LIMIT


def counts(nodes: Several, user: str = "ada") -> list[int]:
    """What each node counts, with its own."""
    return [len(node.hub.users.get(user, ())) + node.cluster.headcounts.count(user) for node in nodes.nodes]


async def test_sessions_on_all_nodes_count() -> None:
    async with several() as nodes:
        for node in nodes.nodes:
            await node.connected("ada")
            await told(nodes)
        assert counts(nodes) == [3, 3, 3]
        for node in nodes.nodes:
            await refused(node)
            assert node.world.metrics.rejected["connections_per_user"] == 1
            await node.connected("bob")
            await told(nodes)


async def test_who_has_gone_has_made_room() -> None:
    async with several(sessions={"resume_window": 0}) as nodes:
        clients = [await node.connected("ada") for node in nodes.nodes]
        await told(nodes)
        clients[1].drop()
        await told(nodes)
        assert counts(nodes) == [2, 2, 2]
        await nodes[2].connected("ada")
        await told(nodes)
        await refused(nodes[0])


async def test_a_session_whose_client_is_away_makes_room_on_another_node() -> None:
    async with several() as nodes:
        clients = [await node.connected("ada") for node in nodes.nodes]
        clients[1].drop()
        await nodes.pass_by(5)
        await nodes[0].connected("ada")
        await nodes.pass_by(0.25)
        assert clients[1].session not in nodes[1].hub.sessions
        assert counts(nodes) == [3, 3, 3]
        await refused(nodes[0])
        assert nodes[0].world.metrics.rejected["connections_per_user"] == 1


async def test_a_client_that_came_back_meanwhile_stays_and_is_counted_again() -> None:
    async with several() as nodes:
        clients = [await node.connected("ada") for node in nodes.nodes]
        clients[1].drop()
        await nodes.pass_by(5)
        back = nodes[1].world.client()
        back.send(type="connect", resume={"session": clients[1].session, "secret": clients[1].secret})
        await settle()
        late = await nodes[0].connected("ada")
        await nodes.pass_by(0.5)
        assert clients[1].session in nodes[1].hub.sessions
        assert counts(nodes) == [4, 4, 4], "for a moment"
        await nodes.pass_by(SETTLED + 2)
        assert counts(nodes) == [3, 3, 3]
        assert [each.connection.closed for each in (late, back, clients[2])].count(USER_LIMIT) == 1


async def test_the_sessions_of_a_killed_node_are_gone_within_its_lease() -> None:
    async with several() as nodes:
        for _ in range(3):
            await nodes[0].connected("ada")
        await told(nodes)
        await refused(nodes[1])
        nodes[0].kill()
        await nodes.pass_by(LEASE + 1)
        assert counts(nodes)[1:] == [0, 0]
        await nodes[1].connected("ada")


async def test_who_comes_in_on_all_nodes_at_once_does_not_stay_on_all() -> None:
    async with several(limit=4) as nodes:
        clients: list[list[Client]] = [
            [await node.connected("ada") for _ in range(4)] for node in nodes.nodes
        ]
        await told(nodes)
        assert counts(nodes) == [12, 12, 12]
        await nodes.pass_by(SETTLED - 0.5)
        assert counts(nodes) == [12, 12, 12], "a session that moves is there twice for a moment, too"
        await nodes.pass_by(3)
        assert counts(nodes) == [4, 4, 4], "and no more have been ended than were too many"
        ended = [client for each in clients for client in each if client.connection.closed is USER_LIMIT]
        assert len(ended) == 8
        assert sum(node.world.metrics.rejected["connections_per_user"] for node in nodes.nodes) == 8


@pytest.mark.parametrize(("limit", "left"), [(4, [True, False, True]), (3, [True, False, False])])
async def test_those_who_came_last_are_ended_and_before_them_those_away(limit: int, left: list[bool]) -> None:
    async with several(count=2, limit=limit) as nodes:
        first, last = sorted(nodes.nodes, key=lambda node: node.id)
        kept = [await first.connected("ada") for _ in range(2)]
        mine = [await last.connected("ada") for _ in range(3)]
        mine[1].drop()
        await nodes.pass_by(SETTLED + 3)
        assert [client.session in last.hub.sessions for client in mine] == left
        assert all(client.session in first.hub.sessions for client in kept)


async def test_only_those_who_may_come_near_the_limit_are_told_of() -> None:
    limit = 4 * SHARE
    async with several(limit=limit) as nodes:
        for _ in range(3):
            await nodes[0].connected("ada")
            await nodes[1].connected("ada")
        await nodes.pass_by(2)
        assert counts(nodes) == [3, 3, 0]
        before = nodes[2].broker.delivered
        await nodes[0].connected("ada")
        await told(nodes)
        assert counts(nodes) == [7, 7, 7], "all tell of whom one tells"
        assert nodes[2].broker.delivered > before
        client = nodes[0].hub.users["ada"][0]
        nodes[0].hub.end(client, None)
        await told(nodes)
        assert counts(nodes) == [3, 3, 0], "and no more"


@pytest.mark.parametrize("lost", [1, 2])
async def test_what_was_lost_on_the_way_is_asked_for(lost: int) -> None:
    async with several(count=2) as nodes:
        await nodes[0].connected("ada")
        await told(nodes)
        nodes[1].broker.lose(lost)
        await nodes[0].connected("ada")
        await told(nodes)
        await nodes.pass_by(2.5)
        assert counts(nodes) == [2, 2]


async def test_that_somebody_has_gone_is_asked_for_too() -> None:
    async with several(count=2, sessions={"resume_window": 0}) as nodes:
        await nodes[0].connected("ada")
        bob = await nodes[0].connected("bob")
        await told(nodes)
        nodes[1].broker.lose(1)
        bob.drop()
        await nodes.pass_by(0.25)
        assert counts(nodes, "bob") == [0, 1]
        await nodes.pass_by(1.5)
        assert counts(nodes, "bob") == [0, 0]
        assert counts(nodes) == [1, 1]


async def test_a_node_that_did_not_hear_that_it_is_to_make_room_is_counted_again() -> None:
    async with several(count=2, limit=2) as nodes:
        ada, away = await nodes[0].connected("ada"), await nodes[0].connected("ada")
        away.drop()
        await nodes.pass_by(5)
        nodes[0].broker.lose(1)
        late = await nodes[1].connected("ada")
        await nodes.pass_by(2.5)
        assert counts(nodes) == [3, 3]
        await nodes.pass_by(SETTLED + 2)
        assert counts(nodes) == [2, 2]
        assert ada.connection.closed is None or late.connection.closed is None


async def test_a_node_that_comes_later_learns_of_all() -> None:
    async with several(count=2, limit=2) as nodes:
        await nodes[0].connected("ada")
        await nodes[1].connected("ada")
        await told(nodes)
        late = nodes.add()
        await late.start()
        nodes.nodes.append(late)
        await settle()
        await refused(late)


async def test_a_node_that_is_not_heard_is_not_counted() -> None:
    async with several(count=2, limit=2) as nodes:
        for _ in range(2):
            await nodes[0].connected("ada")
        await told(nodes)
        await refused(nodes[1])
        nodes[0].broker.cut_off()
        await nodes.pass_by(LEASE + 1)
        mine = await nodes[1].connected("ada")
        nodes[0].broker.rejoin()
        await nodes.pass_by(SETTLED + 3)
        assert counts(nodes) == [2, 2]
        assert (mine.connection.closed is USER_LIMIT) is (nodes[1].id > nodes[0].id)


async def test_a_session_that_moves_is_not_taken_for_two() -> None:
    """See also test_claims: here both nodes have it for as long as a message may take."""
    async with several(count=2, limit=1) as nodes:
        ada = await nodes[0].connected("ada")
        await told(nodes)
        twin = nodes[1].hub
        session = nodes[0].hub.sessions[ada.session]
        twin.users["ada"] = (session,)
        twin.noticed(session)
        await nodes.pass_by(SETTLED - 1)
        nodes[0].hub.users.pop("ada")
        nodes[0].hub.noticed(session)
        await nodes.pass_by(SETTLED + 2)
        assert not session.closed
