from __future__ import annotations

import asyncio

import pytest
from tests.hub.owner import EPOCH, Owner
from tests.hub.world import Client, World, settle

from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub import operations
from hubbub.hub.entering import follow_all
from hubbub.model import Envelope, Position, Publication, Raw

pytestmark = pytest.mark.anyio


async def owned(*, lossless: bool = True, **settings: object) -> tuple[World, Owner]:
    world = World(**settings)  # type: ignore[arg-type]
    owner = Owner(world.hub, lossless=lossless)
    await world.start()
    return world, owner


def offsets(client: Client, channel: str = "own:a") -> list[int]:
    return [
        each["offset"]
        for each in client.peek()
        if each["type"] == "publication" and each["channel"] == channel and "offset" in each
    ]


async def test_the_log_of_an_owned_channel_is_its_owners() -> None:
    world, owner = await owned()
    for number in range(3):
        owner.append("own:a", data=number)
    ada = await world.connected("ada")
    reply = await ada.ask(type="subscribe", channel="own:a", since={"epoch": EPOCH, "offset": 1})
    assert reply["recovered"] is True
    assert [each["offset"] for each in reply["publications"]] == [2, 3]
    await owner.publish("own:a")
    assert offsets(ada) == [4]
    assert owner.seen == ["event"]
    history = await ada.ask(type="history", channel="own:a", limit=2)
    assert [each["offset"] for each in history["result"]["publications"]] == [1, 2]


async def test_who_may_not_is_refused_by_the_owner_alone() -> None:
    world, owner = await owned()
    owner.refused.add("eve")
    eve = await world.connected("eve")
    for command in ("subscribe", "history"):
        assert (await eve.ask(type=command, channel="own:a"))["code"] == ErrorCode.PERMISSION_DENIED
    assert (await eve.ask(type="publish", channel="own:a", data=1))["code"] == ErrorCode.PERMISSION_DENIED
    assert (await eve.ask(type="presence", channel="own:a"))["code"] == ErrorCode.PERMISSION_DENIED
    with pytest.raises(HubbubError):
        await operations.publish(world.hub, "own:a", "event", 1)
    assert owner.logs == {}


async def test_what_a_reader_may_not_see_is_no_gap() -> None:
    world, owner = await owned()
    for _ in range(4):
        owner.append("own:a")
    owner.floors["ada"] = 2
    ada = await world.connected("ada")
    reply = await ada.ask(type="subscribe", channel="own:a", since={"epoch": EPOCH, "offset": 0})
    assert reply["recovered"] is True
    assert [each["offset"] for each in reply["publications"]] == [3, 4]


async def test_the_server_puts_a_session_in_from_where_it_says() -> None:
    world, owner = await owned()
    for _ in range(3):
        owner.append("own:a")
    ada = await world.connected("ada")
    await world.hub.enter(world.hub.sessions[ada.session], "own:a", Position(EPOCH, 1))
    (told,) = [each for each in ada.peek() if each["type"] == "subscribed"]
    assert told["position"] == {"epoch": EPOCH, "offset": 1}
    await owner.publish("own:a")
    assert offsets(ada) == [2, 3, 4]


async def test_put_in_while_away_it_finds_all_when_it_is_back() -> None:
    world, owner = await owned()
    owner.append("own:a")
    ada = await world.connected("ada")
    session = world.hub.sessions[ada.session]
    world.hub.detach(session)
    await world.hub.enter(session, "own:a", Position(EPOCH, 1))
    owner.append("own:a")
    back = world.client()
    reply = await back.ask(type="connect", resume={"session": ada.session, "secret": ada.secret})
    (subscription,) = reply["subscriptions"]
    assert subscription["recovered"] is True
    assert [each["offset"] for each in subscription["publications"]] == [2]
    assert reply["recovered"] is True
    assert session.entered is None


async def test_who_may_be_there_no_more_is_taken_out_when_it_is_back() -> None:
    world, owner = await owned()
    ada = await world.connected("ada", "own:a", "free")
    session = world.hub.sessions[ada.session]
    world.hub.detach(session)
    owner.refused.add("ada")
    owner.append("own:a")
    back = world.client()
    reply = await back.ask(
        type="connect",
        resume={
            "session": ada.session,
            "secret": ada.secret,
            "positions": {"own:a": {"epoch": EPOCH, "offset": 0}},
        },
    )
    assert [each["channel"] for each in reply["subscriptions"]] == ["free"]
    assert [each["channel"] for each in back.peek() if each["type"] == "unsubscribed"] == ["own:a"]
    assert "own:a" not in session.subscriptions


async def test_who_comes_back_while_the_log_cannot_be_read_may_try_again() -> None:
    world, owner = await owned()
    ada = await world.connected("ada", "own:a")
    world.hub.detach(world.hub.sessions[ada.session])
    owner.append("own:a")
    owner.failing = True
    proof = {
        "session": ada.session,
        "secret": ada.secret,
        "positions": {"own:a": {"epoch": EPOCH, "offset": 0}},
    }
    reply = await world.client().ask(type="connect", resume=proof)
    assert (reply["code"], reply["temporary"]) == (ErrorCode.STORE_UNAVAILABLE, True)
    owner.failing = False
    reply = await world.client().ask(type="connect", resume=proof)
    assert reply["recovered"] is True
    assert [each["offset"] for each in reply["subscriptions"][0]["publications"]] == [1]


async def test_nothing_is_read_for_who_comes_back_and_has_missed_nothing() -> None:
    world, owner = await owned()
    await world.connected("bob", "own:a")
    ada = await world.connected("ada", "own:a")
    await owner.publish("own:a")
    world.hub.detach(world.hub.sessions[ada.session])
    reads = len(owner.reads)
    back = world.client()
    positions = {"own:a": {"epoch": EPOCH, "offset": 1}}
    reply = await back.ask(
        type="connect", resume={"session": ada.session, "secret": ada.secret, "positions": positions}
    )
    assert reply["recovered"] is True
    assert len(owner.reads) == reads
    await owner.publish("own:a")
    assert offsets(back) == [2]


async def test_many_channels_are_followed_from_one_look_at_them() -> None:
    world, owner = await owned()
    for _ in range(2):
        owner.append("own:a")
    ada = await world.connected("ada")
    session = world.hub.sessions[ada.session]
    looking, look = asyncio.Event(), asyncio.Event()

    async def read() -> dict[str, Position]:
        found = {name: owner.head(name) for name in ("own:a", "own:b")}
        looking.set()
        await look.wait()
        return found

    following = asyncio.create_task(follow_all(session, ["own:a", "own:b", "own:c"], read))
    await looking.wait()
    await owner.publish("own:a")  # after the look: must be pushed
    await owner.publish("own:b")
    look.set()
    await following
    await owner.publish("own:a")
    assert offsets(ada) == [3, 4]
    assert offsets(ada, "own:b") == [1]
    told = {
        each["channel"]: each["position"]["offset"] for each in ada.peek() if each["type"] == "subscribed"
    }
    assert told == {"own:a": 2, "own:b": 0}
    assert set(session.subscriptions) == {"own:a", "own:b"}, "own:c is not there any more"
    assert session.joining is None
    assert "own:c" not in world.hub.channels


async def test_a_stream_that_is_behind_is_brought_up_before_it_is_followed() -> None:
    world, owner = await owned()
    bob = await world.connected("bob", "own:a")
    await owner.publish("own:a")
    owner.append("own:a")  # this node has not heard of it
    ada = await world.connected("ada")
    session = world.hub.sessions[ada.session]

    async def read() -> dict[str, Position]:
        return {"own:a": owner.head("own:a")}

    await follow_all(session, ["own:a"], read)
    await owner.publish("own:a")
    assert offsets(ada) == [3]
    assert offsets(bob) == [1, 2, 3]


async def test_a_session_that_ends_meanwhile_is_not_put_in() -> None:
    world, owner = await owned()
    ada = await world.connected("ada")
    session = world.hub.sessions[ada.session]

    async def read() -> dict[str, Position]:
        world.hub.end(session, None)
        return {"own:a": owner.head("own:a")}

    await follow_all(session, ["own:a"], read)
    assert session.subscriptions == {}
    assert world.hub.channels == {}


async def test_who_is_taken_out_while_it_enters_stays_out() -> None:
    world, owner = await owned()
    ada = await world.connected("ada")
    session = world.hub.sessions[ada.session]

    async def read() -> dict[str, Position]:
        await world.hub.server_unsubscribe(session, "own:a")
        return {"own:a": owner.head("own:a")}

    await follow_all(session, ["own:a"], read)
    assert "own:a" not in session.subscriptions


async def test_a_read_that_fails_leaves_nothing_held() -> None:
    world, _ = await owned()
    ada = await world.connected("ada")
    session = world.hub.sessions[ada.session]

    async def read() -> dict[str, Position]:
        raise HubbubError(ErrorCode.STORE_UNAVAILABLE)

    with pytest.raises(HubbubError):
        await follow_all(session, ["own:a"], read)
    assert (session.joining, world.hub.channels) == (None, {})


async def test_owned_channels_do_not_count_as_subscriptions() -> None:
    world, _ = await owned(limits={"subscriptions": 2})
    ada = await world.connected("ada", "own:a", "own:b", "own:c", "d", "e")
    reply = await ada.ask(type="subscribe", channel="f")
    assert reply["code"] == ErrorCode.LIMIT_EXCEEDED
    assert world.metrics.rejected["subscriptions"] == 1


async def test_owned_channels_have_no_presence() -> None:
    world, _ = await owned()
    ada = await world.connected("ada", "own:a")
    assert (await ada.ask(type="presence", channel="own:a"))["code"] in (
        ErrorCode.NOT_AVAILABLE,
        ErrorCode.PERMISSION_DENIED,
    )
    assert (await world.presence.members("own:a", 10)).sessions == 0


async def test_the_heads_of_owned_channels_are_asked_for_together() -> None:
    world, owner = await owned(lossless=False)
    ada = await world.connected("ada", "own:a", "own:b")
    await owner.publish("own:a")
    owner.append("own:a")
    owner.append("own:b")
    await world.hub.live.check_heads(at_once=True)
    assert owner.asked == [["own:a", "own:b"]]
    assert offsets(ada) == [1, 2]
    assert offsets(ada, "own:b") == [1]
    assert world.metrics.gaps["healed"] == 2


async def test_idle_channels_are_looked_at_by_themselves() -> None:
    world, owner = await owned(lossless=False)
    ada = await world.connected("ada", "own:a")
    owner.append("own:a")
    world.clock.advance(world.config.broker.head_check + 2)
    await settle()
    assert offsets(ada) == [1]


async def test_a_lossless_owner_is_not_asked() -> None:
    world, owner = await owned()
    await world.connected("ada", "own:a")
    world.clock.advance(60)
    await settle()
    assert owner.asked == []


@pytest.mark.parametrize("volatile", [False, True])
async def test_what_is_hidden_from_a_user_reaches_none_of_its_sessions(volatile: bool) -> None:
    world, _ = await owned()
    ada, other, bob = [await world.connected(user, "own:a") for user in ("ada", "ada", "bob")]
    signal = Publication("own:a", "typing", Raw(b"1"))
    await world.hub.broker.publish(Envelope(signal, hidden=("ada", "nobody"), volatile=volatile))
    assert [each["event"] for each in bob.peek()] == ["typing"]
    assert ada.peek() == other.peek() == []
