from __future__ import annotations

import msgspec
import pytest
from tests.cluster.claiming import cluster, kept

from hubbub.cluster.records import REFRESH
from hubbub.errors import REPLACED

pytestmark = pytest.mark.anyio


async def test_a_session_is_one_write_however_many_channels_it_enters_at_once() -> None:
    nodes = await cluster()
    a, *_ = nodes
    clients = [await a.world.connected(f"user-{i}", "one", "two", "three") for i in range(5)]
    await nodes.written()
    assert a.state.writes == 5
    await clients[0].ask(type="publish", channel="one", data=1)
    clients[1].drop()
    await nodes.passes(5.0)
    assert a.state.writes == 5
    await clients[0].ask(type="unsubscribe", channel="one")
    await nodes.written()
    assert a.state.writes == 6


async def test_records_hold_no_secret_and_last_as_long_as_their_sessions() -> None:
    nodes = await cluster()
    a, *_ = nodes
    client = await a.world.connected("ada", "news")
    await nodes.written()
    assert client.secret.encode() not in kept(nodes, client)
    await nodes.passes(4 * REFRESH, step=5.0)
    assert kept(nodes, client)
    assert a.state.writes == 4


async def test_a_record_that_state_did_not_take_is_written_later() -> None:
    nodes = await cluster()
    a, *_ = nodes
    a.state.cut = True
    client = await a.world.connected("ada", "news")
    await nodes.passes(2.0)
    assert not kept(nodes, client)
    a.state.cut = False
    await nodes.passes(2.0)
    assert msgspec.msgpack.decode(kept(nodes, client))["channels"] == ["news"]


async def test_a_state_that_was_emptied_has_them_again() -> None:
    nodes = await cluster()
    a, *_ = nodes
    client = await a.world.connected("ada", "news")
    await nodes.written()
    nodes.state._values.clear()
    await client.ask(type="subscribe", channel="more")
    await nodes.written()
    assert msgspec.msgpack.decode(kept(nodes, client))["channels"] == ["more", "news"]


async def test_a_node_that_finds_another_ones_name_in_a_record_lets_the_session_go() -> None:
    nodes = await cluster()
    a, *_ = nodes
    client = await a.world.connected("ada", "news")
    await nodes.written()
    record = msgspec.msgpack.decode(kept(nodes, client)) | {"node": "nodeBB"}
    await nodes.state.put(f"session:{client.session}", msgspec.msgpack.encode(record), 60.0)
    await client.ask(type="subscribe", channel="more")
    await nodes.written()
    assert client.connection.closed is REPLACED
    assert client.session not in a.hub.sessions
    assert msgspec.msgpack.decode(kept(nodes, client)) == record, "it is the other's, and stays"
