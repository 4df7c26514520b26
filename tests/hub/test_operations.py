from __future__ import annotations

import math
from typing import Any

import pytest
from tests.hub.world import World, settle

from hubbub.errors import FORCED, REVOKED, ErrorCode, HubbubError
from hubbub.hub import operations
from hubbub.hub.base import Tally
from hubbub.model import Principal

pytestmark = pytest.mark.anyio


async def test_multicast_reaches_all_sessions_of_a_user_also_those_away() -> None:
    world = await World().start()
    one, two, bob = [await world.connected(user) for user in ("alice", "alice", "bob")]
    two.drop()
    assert await operations.to_user(world.hub, "alice", "hello", {"n": 1}) == Tally(2)
    assert await operations.to_user(world.hub, "nobody", "hello", 1) == Tally(0)
    assert [(each["event"], each["data"]) for each in one.take("publication")] == [("hello", {"n": 1})]
    assert bob.take() == []
    assert len(world.hub.sessions[two.session].pending or ()) == 1


async def test_unicast_reaches_one_session() -> None:
    world = await World().start()
    one, two = await world.connected("alice"), await world.connected("alice")
    assert await operations.to_session(world.hub, one.session, "hello", 1) == Tally(1)
    assert await operations.to_session(world.hub, "unknown", "hello", 1) == Tally(0)
    assert one.texts() == [1]
    assert two.texts() == []


async def test_broadcast_gives_an_outcome_for_each_channel() -> None:
    world = await World(limits={"batch": 3}).start()
    alice = await world.connected("alice", "a", "b")
    outcomes = await operations.broadcast(world.hub, ["a", "no spaces", "b"], "message", 1, key="k")
    assert isinstance(outcomes[1], HubbubError)
    assert outcomes[1].code == ErrorCode.INVALID_CHANNEL
    again = await operations.broadcast(world.hub, ["a", "b"], "message", 1, key="k")
    assert [each.duplicate for each in again if not isinstance(each, HubbubError)] == [True, True]
    assert alice.texts() == [1, 1]
    with pytest.raises(HubbubError) as failure:
        await operations.broadcast(world.hub, ["a"] * 4, "message", 1)
    assert failure.value.code == ErrorCode.LIMIT_EXCEEDED


deep: Any = 1
for _ in range(100_000):
    deep = [deep]


@pytest.mark.parametrize(
    "data", [object(), {"a": {1, object()}}, "\ud800", deep], ids=["object", "set", "surrogate", "deep"]
)
async def test_data_that_has_no_json_is_refused(data: Any) -> None:
    world = await World().start()
    with pytest.raises(HubbubError) as failure:
        await operations.publish(world.hub, "a", "message", data)
    assert failure.value.code == ErrorCode.INVALID_DATA


@pytest.mark.parametrize(("size", "fits"), [(98, True), (99, False)])
async def test_the_server_s_messages_have_a_size_too(size: int, fits: bool) -> None:
    world = await World(limits={"message_bytes": 100}).start()
    if fits:
        await operations.publish(world.hub, "a", "message", "x" * size)
        return
    with pytest.raises(HubbubError) as failure:
        await operations.publish(world.hub, "a", "message", "x" * size)
    assert failure.value.code == ErrorCode.MESSAGE_TOO_LARGE


async def test_numbers_that_json_cannot_say_are_null_and_reach_everybody() -> None:
    world = await World().start()
    alice = await world.connected("alice", "a")
    await operations.publish(world.hub, "a", "message", [math.nan, 2**70])
    assert alice.texts() == [[None, 2**70]]


async def test_disconnect_and_revocation_end_at_once_and_for_good() -> None:
    world = World()
    world.policy.principal["t1"] = Principal("alice", token_id="1")
    world.policy.principal["t2"] = Principal("alice", token_id="2")
    await world.start()
    one, two, bob = [await world.connected(token, "a") for token in ("t1", "t2", "bob")]
    two.drop()
    assert await operations.end_revoked(world.hub, token_id="2") == Tally(1)
    assert await operations.end_revoked(world.hub, user="alice") == Tally(1)
    assert one.connection.closed is REVOKED
    assert await operations.disconnect(world.hub, session=bob.session, user="alice") == Tally(0)
    assert await operations.disconnect(world.hub, session=bob.session) == Tally(1)
    assert bob.connection.closed is FORCED
    for client in (one, two, bob):
        proof = {"session": client.session, "secret": client.secret}
        reply = await world.client().ask(type="connect", resume=proof)
        assert reply["code"] == ErrorCode.SESSION_GONE
    await settle()
    assert not world.hub.sessions
    assert not world.hub.channels


async def test_users_are_put_into_channels_and_taken_out() -> None:
    world = await World().start()
    one, two = await world.connected("alice"), await world.connected("alice", "a")
    assert await operations.subscribe_user(world.hub, "alice", "a") == Tally(2)
    assert [len(each.take("subscribed")) for each in (one, two)] == [1, 0]
    assert await operations.unsubscribe_user(world.hub, "alice", "a") == Tally(2)
    assert await operations.unsubscribe_user(world.hub, "alice", "a") == Tally(0)
    assert not world.hub.channels


async def test_what_operators_see_of_sessions_and_channels() -> None:
    world = await World().start()
    alice, bob = await world.connected("alice", "a:1", "b"), await world.connected("bob", "a:1")
    await operations.publish(world.hub, "a:2", "message", 1)
    bob.drop()
    (seen,) = operations.sessions_here(world.hub, "bob")
    described = operations.describe(seen)
    assert (described.user, described.channels, described.detached) == ("bob", ("a:1",), True)
    assert operations.sessions_here(world.hub, session=alice.session, user="bob") == []
    assert [each.name for each in (await operations.channel_list(world.hub, "a:"))[0]] == ["a:1", "a:2"]
    assert [each.name for each in (await operations.channel_list(world.hub, limit=2))[0]] == ["a:1", "a:2"]
    info = await operations.channel_info(world.hub, "a:1")
    assert info.subscribers == 1
    assert info.presence is not None
    assert info.presence.sessions == 2
    assert info.position is not None
    assert info.position.offset == 0
