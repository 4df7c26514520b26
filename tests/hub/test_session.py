from __future__ import annotations

import re

import pytest
from tests.hub.world import World

from hubbub.errors import FORCED, ErrorCode, ProtocolError
from hubbub.hub.session import is_id, new_id

pytestmark = pytest.mark.anyio


async def test_state_is_the_application_s_and_lives_as_long_as_the_session() -> None:
    world = await World().start()
    alice = await world.connected("alice")
    session = world.hub.sessions[alice.session]
    session.state["cart"] = [1]
    alice.drop()
    assert not session.connected
    back = world.client()
    await back.ask(type="connect", resume={"session": alice.session, "secret": alice.secret})
    assert session.connected
    assert session.state == {"cart": [1]}


def test_an_id_is_known_for_one_whosesoever_it_is() -> None:
    ids = {new_id() for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(is_id(id) and re.fullmatch("[A-Za-z0-9_-]{20}", id) for id in ids)
    id = new_id()
    spoilt = [id[:place] + ("a" if id[place] != "a" else "b") + id[place + 1 :] for place in range(20)]
    others = ["", "lobby", "n" * 20, "é" * 20, "\ud800" * 20, id[:-1], f"{id}a", f" {id}", id.swapcase()]
    assert not any(is_id(other) for other in (*spoilt, *others))


async def test_a_broken_protocol_is_answered_and_ends_the_connection() -> None:
    world = await World().start()
    alice = await world.connected("alice")
    world.hub.sessions[alice.session].fail(ProtocolError("not a JSON object"))
    (error,) = alice.take("error")
    assert (error["id"], error["code"]) == (0, ErrorCode.BAD_REQUEST)
    assert alice.connection.closed is not None
    assert alice.connection.closed.code == 3500


async def test_nothing_more_is_done_for_a_session_that_has_ended() -> None:
    world = await World().start()
    alice = await world.connected("alice", "a")
    session = world.hub.sessions[alice.session]
    session.disconnect(FORCED)
    assert alice.connection.closed is FORCED
    await session.send("hello", 1)
    await session.subscribe("b")
    assert session.pending is None
    assert not world.hub.channels
    session.disconnect(FORCED)
    world.hub.detach(session)
    assert not world.hub.detached


async def test_errors_are_forgiven_after_a_while() -> None:
    world = await World(limits={"error_burst": 3}).start()
    alice = await world.connected("alice")
    for _ in range(5):
        for _ in range(3):
            await alice.ask(type="unsubscribe", channel="x")
        world.clock.advance(10.1)
    assert alice.connection.closed is None
