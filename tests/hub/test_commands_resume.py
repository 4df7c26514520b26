"""Coming back: `connect` with a session and its secret."""

from __future__ import annotations

from typing import Any

import pytest
from tests.hub.world import Client, World, settle

from hubbub.errors import REPLACED, ErrorCode

pytestmark = pytest.mark.anyio


async def resume(world: World, old: Client, **positions: Any) -> tuple[Client, dict[str, Any]]:
    client = world.client()
    reply = await client.ask(
        type="connect", resume={"session": old.session, "secret": old.secret, "positions": positions}
    )
    return client, reply


async def position(client: Client, channel: str) -> dict[str, Any]:
    result: dict[str, Any] = (await client.ask(type="history", channel=channel, limit=0))["result"][
        "position"
    ]
    return result


async def test_a_resumed_session_has_its_id_channels_and_missed_pushes() -> None:
    world = await World().start()
    alice, bob = await world.connected("alice", "a", "b"), await world.connected("bob")
    seen = {name: await position(alice, name) for name in ("a", "b")}
    alice.drop()
    for number in range(3):
        await bob.ask(type="publish", channel="a", data=number)
    back, reply = await resume(world, alice, **seen)
    assert reply["resumed"] is True
    assert reply["recovered"] is True
    assert reply["session"] == alice.session
    missed = {
        each["channel"]: [p["data"] for p in each.get("publications", [])] for each in reply["subscriptions"]
    }
    assert missed == {"a": [0, 1, 2], "b": []}
    await bob.ask(type="publish", channel="b", data="live")
    assert back.texts() == ["live"]


async def test_a_resume_without_a_position_is_not_called_recovered() -> None:
    world = await World().start()
    alice = await world.connected("alice", "a", "b")
    seen = await position(alice, "a")
    alice.drop()
    _, reply = await resume(world, alice, a=seen)
    assert reply["resumed"] is True
    assert "recovered" not in reply
    assert {each["channel"]: each.get("recovered", False) for each in reply["subscriptions"]} == {
        "a": True,
        "b": False,
    }


@pytest.mark.parametrize("fault", ["secret", "session", "window", "ended"])
async def test_a_session_that_cannot_be_resumed(fault: str) -> None:
    world = await World().start()
    alice = await world.connected("alice", "a")
    alice.drop()
    if fault == "secret":
        alice.secret = "wrong-ä"
    elif fault == "session":
        alice.session = "unknown"
    elif fault == "window":
        world.clock.advance(world.config.sessions.resume_window + 1)
    else:
        world.hub.end(world.hub.sessions[alice.session], None)
    client, reply = await resume(world, alice)
    assert reply["code"] == ErrorCode.SESSION_GONE
    assert client.connection.closed is None  # it may go on with a token on the same connection
    assert (await client.ask(type="connect", token="alice"))["type"] == "connected"


async def test_a_session_resumed_while_its_old_connection_seems_alive_moves() -> None:
    world = await World().start()
    alice, bob = await world.connected("alice", "a"), await world.connected("bob")
    back, reply = await resume(world, alice, a=await position(alice, "a"))
    assert reply["recovered"] is True
    assert alice.connection.closed is REPLACED
    alice.take()
    await bob.ask(type="publish", channel="a", data="x")
    assert back.texts() == ["x"]
    assert alice.texts() == []


async def test_direct_pushes_wait_for_the_client() -> None:
    world = await World().start()
    alice = await world.connected("alice")
    session = world.hub.sessions[alice.session]
    alice.drop()
    await session.send("hello", {"n": 1})
    back, _ = await resume(world, alice)
    assert [(each["event"], each["data"]) for each in back.take("publication")] == [("hello", {"n": 1})]


async def test_direct_pushes_do_not_wait_without_bound() -> None:
    world = await World(sessions={"pending_bytes": 1000}).start()
    alice = await world.connected("alice")
    session = world.hub.sessions[alice.session]
    alice.drop()
    for _ in range(5):
        await session.send("big", "x" * 300)
    assert session.closed
    assert world.metrics.rejected["pending_bytes"] == 1


async def test_commands_that_follow_a_slow_resume_go_to_the_old_session() -> None:
    world = await World().start()
    alice = await world.connected("alice", "a")
    alice.drop()
    client = world.client()
    proof = {"session": alice.session, "secret": alice.secret, "positions": {}}
    client.send(type="connect", resume=proof)
    client.send(type="unsubscribe", channel="a")
    await settle()
    assert [each["type"] for each in client.take()] == ["connected", "result"]
