from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.cluster.claiming import LEASE, Peer, cluster, kept
from tests.hub.world import settle

from hubbub.errors import REPLACED, ErrorCode
from hubbub.hub import operations
from hubbub.hub.session import Session, is_id, node_of
from hubbub.model import Principal

pytestmark = pytest.mark.anyio


async def publish(peer: Peer, channel: str, *texts: str) -> None:
    for text in texts:
        await operations.publish(peer.hub, channel, "message", text)
    await settle()


def positions(reply: dict[str, Any]) -> dict[str, Any]:
    return {each["channel"]: each["position"] for each in reply["subscriptions"] if "position" in each}


async def test_the_id_of_a_session_tells_its_node() -> None:
    a, *_ = await cluster()
    client = await a.world.connected("ada")
    assert client.session.startswith("nodeAA")
    assert is_id(client.session)
    assert node_of(client.session) == "nodeAA"
    assert node_of(client.session[6:]) == ""


async def test_a_session_goes_on_at_another_node_with_all_it_has() -> None:
    a, b, _ = await cluster()
    ended: list[Session] = []

    async def hook(session: Session) -> None:
        ended.append(session)

    a.world.handlers.disconnected.append(hook)
    a.world.policy.principal["ada"] = Principal("ada", info=b'{"name":"Ada"}', token_id="t1")
    client = await a.world.connected("ada", "news", "chat")
    session = a.hub.sessions[client.session]
    session.state["color"] = {"red": b"\xff"}
    session.state["lock"] = object()
    await publish(b, "news", "one")
    last = client.take("publication")[-1]
    since = {"epoch": last["epoch"], "offset": last["offset"]}
    client.drop()
    await publish(a, "news", "two", "thrée")
    operations_data = {"for": "you"}
    session.direct(operations._direct(a.hub, f"session:{session.id}", "note", operations_data))

    again, reply = await b.resume(client, news=since)
    assert (reply["type"], reply["resumed"], reply["session"]) == ("connected", True, client.session)
    assert {each["channel"] for each in reply["subscriptions"]} == {"news", "chat"}
    news = next(each for each in reply["subscriptions"] if each["channel"] == "news")
    assert (news["recovered"], [each["data"] for each in news["publications"]]) == (True, ["two", "thrée"])
    assert again.texts() == [operations_data]
    await publish(a, "chat", "live")
    assert again.texts() == ["live"]

    here = b.hub.sessions[client.session]
    assert here.principal == Principal("ada", info=b'{"name":"Ada"}', token_id="t1")
    assert here.state == {"color": {"red": b"\xff"}}
    assert b.hub.users["ada"] == (here,)
    assert client.session not in a.hub.sessions
    assert a.hub.users == {}
    assert ended == [], "it has not ended, but moved"


async def test_the_old_connection_is_told_where_it_still_stands() -> None:
    a, b, _ = await cluster()
    client = await a.world.connected("ada", "news")
    await b.resume(client)
    assert client.connection.closed is REPLACED
    await publish(a, "news", "x")
    assert client.texts() == []


async def test_it_may_go_round_and_come_back() -> None:
    a, b, c = await cluster()
    client = await a.world.connected("ada", "news")
    client, reply = await b.resume(client)
    since = positions(reply)
    client, reply = await c.resume(client, **since)
    await publish(b, "news", "one")
    client.take()
    client, reply = await a.resume(client, **since)
    assert [each["data"] for each in reply["subscriptions"][0]["publications"]] == ["one"]
    assert client.session in a.hub.sessions
    assert [len(peer.hub.sessions) for peer in (a, b, c)] == [1, 0, 0]


async def test_a_wrong_secret_is_not_told_from_an_unknown_session_and_changes_nothing() -> None:
    a, b, _ = await cluster()
    client = await a.world.connected("ada", "news")
    thief = b.world.client()
    for session in (client.session, client.session[:6] + "x" * 20, "nodeZZ" + client.session[6:], "x"):
        reply = await thief.ask(type="connect", resume={"session": session, "secret": "wrong"})
        assert reply["code"] == ErrorCode.SESSION_GONE
    assert client.connection.closed is None
    assert b.world.metrics.resumes["gone"] == 4


async def test_of_two_nodes_that_claim_it_at_once_one_has_it() -> None:
    a, b, c = await cluster()
    client = await a.world.connected("ada", "news")
    (_, first), (_, second) = await asyncio.gather(b.resume(client), c.resume(client))
    assert {first["type"], second["type"]} <= {"connected", "error"}
    assert sum(client.session in peer.hub.sessions for peer in (a, b, c)) == 1


async def test_an_answer_that_was_lost_is_given_again() -> None:
    nodes = await cluster()
    a, b, _ = nodes
    client = await a.world.connected("ada", "news")
    b.broker.lose(1)
    again = b.world.client()
    again.send(type="connect", resume={"session": client.session, "secret": client.secret})
    await settle()
    assert client.session not in a.hub.sessions
    await nodes.passes(2.5)
    assert again.take("connected")[0]["resumed"]


async def test_a_node_that_does_not_answer_yet_may_have_died() -> None:
    nodes = await cluster()
    a, b, _ = nodes
    client = await a.world.connected("ada", "news")
    await nodes.written()
    a.kill()
    again = b.world.client()
    again.send(type="connect", resume={"session": client.session, "secret": client.secret})
    await nodes.passes(1.5)
    assert again.take() == []
    await nodes.passes(5.5)
    (reply,) = again.take()
    if reply["type"] == "error":  # it has not waited until the node was held dead
        assert (reply["code"], reply["temporary"]) == (ErrorCode.NODE_UNAVAILABLE, True)
        assert reply["retry_after"] == 1.0
        _, reply = await b.resume(client)
    assert reply["resumed"]


# --- from a dead node -------------------------------------------------------------------------------------------


async def test_the_session_of_a_dead_node_comes_from_its_record() -> None:
    nodes = await cluster()
    a, b, c = nodes
    client = await a.world.connected("ada", "news", "chat", "left")
    await client.ask(type="unsubscribe", channel="left")
    reply = await client.ask(type="history", channel="news", limit=0)
    since = reply["result"]["position"]
    await nodes.written()
    a.kill()
    await publish(c, "news", "missed")
    await nodes.passes(LEASE + 1.5)
    again, reply = await b.resume(client, news=since)
    assert reply["resumed"]
    assert {each["channel"] for each in reply["subscriptions"]} == {"chat", "news"}
    news = next(each for each in reply["subscriptions"] if each["channel"] == "news")
    assert [each["data"] for each in news["publications"]] == ["missed"]
    await publish(c, "chat", "live")
    assert again.texts() == ["live"]


async def test_of_two_nodes_one_takes_the_record_and_gives_it_to_the_other() -> None:
    nodes = await cluster()
    a, b, c = nodes
    client = await a.world.connected("ada", "news")
    await nodes.written()
    a.kill()
    await nodes.passes(LEASE + 1.5)
    await asyncio.gather(b.resume(client), c.resume(client))
    assert [client.session in peer.hub.sessions for peer in (b, c)].count(True) == 1
    await nodes.written()
    _, reply = await c.resume(client)
    assert reply["type"] == "connected"
    assert [client.session in peer.hub.sessions for peer in (b, c)] == [False, True]


async def test_a_session_that_has_moved_lives_on_when_its_second_node_dies() -> None:
    nodes = await cluster()
    a, b, c = nodes
    client, _ = await b.resume(await a.world.connected("ada", "news"))
    await nodes.written()
    b.kill()
    await nodes.passes(LEASE + 1.5)
    _, reply = await c.resume(client)
    assert reply["resumed"]
    _, reply = await a.resume(client)
    assert reply["resumed"]


async def test_a_node_that_ends_in_order_leaves_its_sessions_to_be_claimed() -> None:
    nodes = await cluster()
    a, b, _ = nodes
    client = await a.world.connected("ada", "news")
    await a.claims.stop()
    await a.hub.stop()
    await a.nodes.stop()
    await nodes.passes(1.5)
    _, reply = await b.resume(client)
    assert reply["resumed"]


async def test_a_session_that_has_ended_cannot_be_claimed() -> None:
    nodes = await cluster()
    a, b, _ = nodes
    client = await a.world.connected("ada", "news")
    await nodes.written()
    assert kept(nodes, client)
    a.hub.end(a.hub.sessions[client.session], None)
    await nodes.written()
    assert not kept(nodes, client)
    a.kill()
    await nodes.passes(LEASE + 1.5)
    _, reply = await b.resume(client)
    assert reply["code"] == ErrorCode.SESSION_GONE


async def test_what_was_revoked_while_its_node_was_dead_stays_revoked() -> None:
    nodes = await cluster()
    a, b, c = nodes
    a.world.policy.principal["ada"] = Principal("ada", token_id="t1", issued=1.0)
    client = await a.world.connected("ada", "news")
    other = await a.world.connected("bob", "news")
    await nodes.written()
    a.kill()
    for peer in (b, c):
        peer.revocations.revoke_token("t1")
    await nodes.passes(LEASE + 1.5)
    _, reply = await b.resume(client)
    assert reply["code"] == ErrorCode.SESSION_GONE
    await nodes.written()
    assert not kept(nodes, client)
    _, reply = await b.resume(other)
    assert reply["resumed"]


# --- who was stopped --------------------------------------------------------------------------------------------


async def test_a_node_that_was_stopped_does_not_go_on_with_what_others_have_taken() -> None:
    nodes = await cluster()
    a, b, c = nodes
    client = await a.world.connected("ada", "news")
    other = await a.world.connected("bob", "news")
    reader = await c.world.connected("cy", "news")
    await nodes.written()
    a.stopped = True
    a.state.cut = True
    await nodes.passes(15.0)
    _, reply = await b.resume(client)
    assert reply["resumed"]
    a.state.cut = a.stopped = False
    # What the client had sent before it went is read first.
    client.send(type="publish", channel="news", data="stale")
    other.send(type="publish", channel="news", data="fresh")
    await settle()
    assert reader.texts() == ["fresh"]
    assert client.connection.closed is REPLACED
    assert client.session not in a.hub.sessions
    assert other.take("published")


async def test_a_node_that_was_stopped_and_cannot_ask_refuses_for_now() -> None:
    nodes = await cluster()
    a, *_ = nodes
    client = await a.world.connected("ada", "news")
    a.clock.stands(15.0)
    a.state.cut = True
    reply = await client.ask(type="publish", channel="news", data=1)
    assert (reply["code"], reply["temporary"]) == (ErrorCode.BROKER_UNAVAILABLE, True)
    a.state.cut = False
    assert (await client.ask(type="publish", channel="news", data=1))["type"] == "published"


async def test_a_state_that_is_away_stops_nobody_who_runs() -> None:
    nodes = await cluster()
    a, *_ = nodes
    client = await a.world.connected("ada", "news")
    a.state.cut = True
    await nodes.passes(20.0)
    assert (await client.ask(type="publish", channel="news", data=1))["type"] == "published"


async def test_who_has_said_to_be_away_is_so_on_another_node_too() -> None:
    nodes = await cluster()
    a, b, c = nodes
    moved, left = await a.world.connected("ada"), await a.world.connected("bob")
    for client in (moved, left):
        session = a.hub.sessions[client.session]
        session.idle = True
        a.claims.changed(session)
    await nodes.written()
    await b.resume(moved)
    assert b.hub.sessions[moved.session].idle
    a.kill()
    await nodes.passes(LEASE + 1.5)
    await c.resume(left)
    assert c.hub.sessions[left.session].idle
