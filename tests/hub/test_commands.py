from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.hub.world import OpenPolicy, World, settle

from hubbub.config import NamespaceConfig
from hubbub.errors import AUTH_FAILED, ErrorCode, HubbubError
from hubbub.hub.session import Session
from hubbub.model import Principal
from hubbub.protocols.native import MessagePackCodec

pytestmark = pytest.mark.anyio


async def test_a_publication_reaches_both_subscribers_once_in_order() -> None:
    world = await World().start()
    alice, bob = await world.connected("alice", "lobby"), await world.connected("bob", "lobby")
    alice.take()
    for number in range(5):
        assert (await alice.ask(type="publish", channel="lobby", data=number))["position"][
            "offset"
        ] == number + 1
    assert alice.texts() == bob.texts() == [0, 1, 2, 3, 4]


async def test_echo_false_spares_the_sender_alone() -> None:
    world = await World().start()
    alice, other = await world.connected("alice", "lobby"), await world.connected("alice", "lobby")
    await alice.ask(type="publish", channel="lobby", data="x", echo=False)
    assert alice.texts() == []
    assert other.texts() == ["x"]  # another device of the same user


async def test_subscribers_of_one_encoding_cost_one_encoding() -> None:
    world = await World().start()
    clients = [await world.connected(f"u{n}", "lobby") for n in range(20)]
    clients += [await world.connected(f"m{n}", "lobby", codec=MessagePackCodec()) for n in range(20)]
    before = world.metrics.encodes
    await clients[0].ask(type="publish", channel="lobby", data={"a": [1.5, None]})
    assert world.metrics.encodes - before == 2
    for client in clients:
        assert client.texts() == [{"a": [1.5, None]}]


@pytest.mark.parametrize(
    "command",
    [
        {"type": "subscribe", "channel": "lobby"},
        {"type": "publish", "channel": "lobby", "data": 1},
        {"type": "history", "channel": "lobby"},
        {"type": "call", "method": "x"},
        {"type": "ping"},
    ],
)
async def test_nothing_is_done_before_connect(command: dict[str, Any]) -> None:
    world = await World().start()
    reply = await world.client().ask(**command)
    assert (reply["type"], reply["code"]) == ("error", ErrorCode.UNAUTHENTICATED)
    assert not world.hub.channels


async def test_a_bad_token_is_refused_and_the_connection_ended() -> None:
    world = await World().start()
    client = world.client()
    assert (await client.ask(type="connect", token="bad"))["code"] == ErrorCode.INVALID_TOKEN
    assert client.connection.closed is AUTH_FAILED
    assert not world.hub.sessions


async def test_connect_twice_is_an_error_and_changes_nothing() -> None:
    world = await World().start()
    alice = await world.connected("alice")
    assert (await alice.ask(type="connect", token="bob"))["code"] == ErrorCode.ALREADY_CONNECTED
    assert list(world.hub.users) == ["alice"]


# --- subscribe ------------------------------------------------------------------------------------------------


async def test_subscribe_recovers_exactly_what_was_missed() -> None:
    world = await World().start()
    alice = await world.connected("alice", "lobby")
    for number in range(10):
        await alice.ask(type="publish", channel="lobby", data=number)
    bob = await world.connected("bob")
    epoch = (await alice.ask(type="history", channel="lobby", limit=0))["result"]["position"]["epoch"]
    reply = await bob.ask(type="subscribe", channel="lobby", since={"epoch": epoch, "offset": 7})
    assert reply["recovered"] is True
    assert [each["offset"] for each in reply["publications"]] == [8, 9, 10]
    assert reply["position"] == {"epoch": epoch, "offset": 10}


@pytest.mark.parametrize(
    ("since", "recovered"),
    [
        ({"offset": 10}, True),  # nothing missed
        ({"offset": 5}, True),  # the oldest place that is still whole
        ({"offset": 4}, False),  # one has been dropped
        ({"offset": 11}, False),  # from a future that never was
        ({"offset": 7, "epoch": "another"}, False),
    ],
)
async def test_recovery_is_whole_or_says_so(since: dict[str, Any], recovered: bool) -> None:
    world = await World(default=NamespaceConfig(retention=5, subscribe="anyone", publish="anyone")).start()
    alice = await world.connected("alice", "lobby")
    for number in range(10):
        await alice.ask(type="publish", channel="lobby", data=number)
    epoch = (await alice.ask(type="history", channel="lobby", limit=0))["result"]["position"]["epoch"]
    bob = await world.connected("bob")
    reply = await bob.ask(type="subscribe", channel="lobby", since={"epoch": epoch, **since})
    assert reply.get("recovered", False) is recovered
    if recovered:
        assert [each["offset"] for each in reply.get("publications", [])] == list(
            range(since["offset"] + 1, 11)
        )
    else:
        assert "publications" not in reply  # never a part
    assert reply["position"] == {"epoch": epoch, "offset": 10}


async def test_more_missed_than_one_answer_holds_is_not_recovered() -> None:
    world = await World(limits={"history": 3}).start()
    alice = await world.connected("alice", "lobby")
    epoch = (await alice.ask(type="history", channel="lobby", limit=0))["result"]["position"]["epoch"]
    for number in range(4):
        await alice.ask(type="publish", channel="lobby", data=number)
    for offset, recovered in ((0, False), (1, True)):
        bob = await world.connected("bob")
        reply = await bob.ask(type="subscribe", channel="lobby", since={"epoch": epoch, "offset": offset})
        assert reply.get("recovered", False) is recovered


async def test_a_channel_without_a_log_has_no_position() -> None:
    world = await World(default=NamespaceConfig(subscribe="anyone", publish="anyone")).start()
    alice = await world.connected("alice")
    reply = await alice.ask(type="subscribe", channel="typing", since={"epoch": "e", "offset": 3})
    assert {"position", "recoverable", "recovered"}.isdisjoint(reply)
    assert (await alice.ask(type="history", channel="typing"))["code"] == ErrorCode.NOT_AVAILABLE
    assert "position" not in await alice.ask(type="publish", channel="typing", data=1)


@pytest.mark.parametrize(
    "channel", ["", " ", "a b", "a\n", "*", "room:?", "ns:", ":x", "../x", "ä", "x" * 256, "session:abc"]
)
async def test_channel_names_that_may_not_be(channel: str) -> None:
    world = await World().start()
    alice = await world.connected("alice")
    for command in ("subscribe", "publish", "history", "presence"):
        extra = {"data": 1} if command == "publish" else {}
        reply = await alice.ask(type=command, channel=channel, **extra)
        assert reply["code"] in (ErrorCode.INVALID_CHANNEL, ErrorCode.PERMISSION_DENIED)
        assert reply["field"] == "channel"
    assert not world.hub.channels


async def test_the_longest_channel_name_is_allowed() -> None:
    world = await World(limits={"channel_length": 10}).start()
    alice = await world.connected("alice")
    assert (await alice.ask(type="subscribe", channel="x" * 10))["type"] == "subscribed"
    assert (await alice.ask(type="subscribe", channel="x" * 11))["code"] == ErrorCode.INVALID_CHANNEL


async def test_subscriptions_are_limited_per_session() -> None:
    world = await World(limits={"subscriptions": 2}).start()
    alice = await world.connected("alice", "a", "b")
    reply = await alice.ask(type="subscribe", channel="c")
    assert reply["code"] == ErrorCode.LIMIT_EXCEEDED
    assert world.metrics.rejected["subscriptions"] == 1
    await alice.ask(type="unsubscribe", channel="a")
    assert (await alice.ask(type="subscribe", channel="c"))["type"] == "subscribed"


async def test_subscribing_twice_and_leaving_twice_are_errors() -> None:
    world = await World().start()
    alice = await world.connected("alice", "lobby")
    assert (await alice.ask(type="subscribe", channel="lobby"))["code"] == ErrorCode.ALREADY_SUBSCRIBED
    assert (await alice.ask(type="unsubscribe", channel="lobby"))["type"] == "result"
    assert (await alice.ask(type="unsubscribe", channel="lobby"))["code"] == ErrorCode.NOT_SUBSCRIBED
    alice.take()
    bob = await world.connected("bob")
    await bob.ask(type="publish", channel="lobby", data=1)
    assert alice.texts() == []


async def test_what_the_policy_refuses_leaves_no_trace() -> None:
    world = await World().start()
    world.policy.refuse = {
        ("subscribe", "secret"),
        ("publish", "secret"),
        ("history", "secret"),
        ("presence", "secret"),
    }
    alice = await world.connected("alice")
    for command in (
        {"type": "subscribe"},
        {"type": "publish", "data": 1},
        {"type": "history"},
        {"type": "presence"},
    ):
        assert (await alice.ask(channel="secret", **command))["code"] == ErrorCode.PERMISSION_DENIED
    assert not world.hub.channels
    assert not alice.connection.session.joining  # type: ignore[union-attr]


# --- publish --------------------------------------------------------------------------------------------------


async def test_a_repeated_key_returns_the_first_result_and_sends_nothing() -> None:
    world = await World().start()
    alice = await world.connected("alice", "lobby")
    first = await alice.ask(type="publish", channel="lobby", data="x", key="k1")
    again = await alice.ask(type="publish", channel="lobby", data="x", key="k1")
    assert (first["position"], first["message"]) == (again["position"], again["message"])
    assert alice.texts() == ["x"]
    reply = await alice.ask(type="publish", channel="lobby", data="y", key="k1")
    assert reply["code"] == ErrorCode.IDEMPOTENCY_CONFLICT
    bob = await world.connected("bob")
    assert (await bob.ask(type="publish", channel="lobby", data="y", key="k1"))["type"] == "published"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event", ""),
        ("event", "x" * 129),
        ("event", "a\nb"),
        ("key", "\0"),
        ("key", "k" * 129),
        ("conflation_key", "\r"),
    ],
)
async def test_names_must_be_printable_and_short(field: str, value: str) -> None:
    world = await World().start()
    alice = await world.connected("alice")
    reply = await alice.ask(type="publish", channel="lobby", data=1, **{field: value})
    assert (reply["code"], reply["field"]) == (ErrorCode.BAD_REQUEST, field)


async def test_publishes_are_limited_by_rate_and_come_back() -> None:
    world = await World(limits={"publish_rate": 2, "publish_burst": 3}).start()
    alice = await world.connected("alice", "lobby")
    replies = [await alice.ask(type="publish", channel="lobby", data=n) for n in range(4)]
    assert [each["type"] for each in replies] == ["published"] * 3 + ["error"]
    assert replies[3]["code"] == ErrorCode.RATE_LIMITED
    assert replies[3]["retry_after"] == pytest.approx(0.5)
    assert replies[3]["temporary"] is True
    assert alice.texts() == [0, 1, 2]
    world.clock.advance(0.5)
    assert (await alice.ask(type="publish", channel="lobby", data=9))["type"] == "published"


async def test_commands_are_limited_by_rate() -> None:
    world = await World(limits={"command_rate": 1, "command_burst": 6}).start()
    alice = await world.connected("alice")
    for _ in range(5):
        assert (await alice.ask(type="ping"))["type"] == "result"
    assert (await alice.ask(type="ping"))["code"] == ErrorCode.RATE_LIMITED
    assert world.metrics.rejected["command_rate"] == 1


async def test_a_client_that_only_makes_mistakes_is_ended() -> None:
    world = await World(limits={"error_burst": 10}).start()
    alice = await world.connected("alice")
    for _ in range(10):
        await alice.ask(type="unsubscribe", channel="nowhere")
    assert alice.connection.closed is None
    await alice.ask(type="unsubscribe", channel="nowhere")
    assert alice.connection.closed is not None
    assert alice.connection.closed.code == 3505


# --- history and presence -------------------------------------------------------------------------------------


async def test_history_pages_both_ways() -> None:
    world = await World().start()
    alice = await world.connected("alice", "lobby")
    for number in range(5):
        await alice.ask(type="publish", channel="lobby", data=number)
    forward = (await alice.ask(type="history", channel="lobby", limit=2))["result"]
    assert [each["data"] for each in forward["publications"]] == [0, 1]
    assert forward["more"] is True
    backward = (await alice.ask(type="history", channel="lobby", limit=2, reverse=True))["result"]
    assert [each["data"] for each in backward["publications"]] == [4, 3]
    assert (await alice.ask(type="history", channel="lobby", limit=1001))["code"] == ErrorCode.LIMIT_EXCEEDED
    assert (await alice.ask(type="history", channel="lobby", limit=-1))["code"] == ErrorCode.LIMIT_EXCEEDED


async def test_a_user_joins_once_and_leaves_with_the_last_device() -> None:
    world = await World().start()
    watcher = await world.connected("watcher", "lobby")
    first = await world.connected("alice", "lobby")
    second = await world.connected("alice", "lobby")
    assert [each["member"]["user"] for each in watcher.take("join")] == ["alice"]
    who = (await watcher.ask(type="presence", channel="lobby"))["result"]
    assert (who["sessions"], who["users"]) == (3, 2)
    await first.ask(type="unsubscribe", channel="lobby")
    assert watcher.take("leave") == []
    await second.ask(type="unsubscribe", channel="lobby")
    assert [each["member"]["user"] for each in watcher.take("leave")] == ["alice"]


async def test_large_channels_have_counts_only() -> None:
    world = await World(
        default=NamespaceConfig(subscribe="anyone", presence="full", join_leave=True, presence_limit=2)
    ).start()
    watcher = await world.connected("watcher", "lobby")
    await world.connected("alice", "lobby")
    assert "members" in (await watcher.ask(type="presence", channel="lobby"))["result"]
    assert len(watcher.take("join")) == 1
    await world.connected("bob", "lobby")
    result = (await watcher.ask(type="presence", channel="lobby"))["result"]
    assert result == {"sessions": 3, "users": 3}
    assert watcher.take("join") == []


async def test_a_hidden_subscription_is_not_present() -> None:
    world = await World().start()
    alice = await world.connected("alice")
    await alice.ask(type="subscribe", channel="lobby", presence=False)
    assert (await alice.ask(type="presence", channel="lobby"))["result"]["sessions"] == 0


# --- call and refresh -----------------------------------------------------------------------------------------


async def test_commands_of_a_session_are_handled_in_order_behind_a_slow_one() -> None:
    world = World(limits={"pending_commands": 3})
    gate = asyncio.Event()
    seen: list[int] = []

    async def slow(session: Session, number: int) -> int:
        await gate.wait()
        seen.append(number)
        return number

    world.handlers.add("slow", slow)
    await world.start()
    alice = await world.connected("alice")
    for number in range(4):
        alice.send(type="call", method="slow", params=number)
    alice.send(type="ping")
    await settle()
    assert alice.take() == []
    assert alice.connection.paused  # and no more is read meanwhile
    gate.set()
    await settle()
    assert seen == [0, 1, 2, 3]
    assert [each["type"] for each in alice.take()] == ["result"] * 5
    assert not alice.connection.paused


async def test_a_keyed_call_runs_once_even_for_twins() -> None:
    world = World()
    calls: list[str] = []

    async def pay(session: Session, amount: int) -> int:
        calls.append(session.user)
        await asyncio.sleep(0)
        return len(calls)

    world.handlers.add("pay", pay)
    await world.start()
    one, two = await world.connected("alice"), await world.connected("alice")
    one.send(type="call", method="pay", params=5, key="k")
    two.send(type="call", method="pay", params=5, key="k")
    await settle()
    assert [one.take()[0]["result"], two.take()[0]["result"]] == [1, 1]
    assert (await one.ask(type="call", method="pay", params=6, key="k"))[
        "code"
    ] == ErrorCode.IDEMPOTENCY_CONFLICT
    assert calls == ["alice"]


async def test_a_handler_that_takes_too_long_is_given_up() -> None:
    world = World(limits={"call_timeout": 0})

    async def never(session: Session) -> None:
        await asyncio.Event().wait()

    world.handlers.add("never", never)
    await world.start()
    alice = await world.connected("alice")
    assert (await alice.ask(type="call", method="never"))["code"] == ErrorCode.TIMEOUT


async def test_a_handler_that_fails_says_nothing_of_the_inside() -> None:
    world = World()

    async def broken(session: Session) -> None:
        raise RuntimeError("the password is hunter2")

    world.handlers.add("broken", broken)
    await world.start()
    alice = await world.connected("alice")
    reply = await alice.ask(type="call", method="broken")
    assert reply["code"] == ErrorCode.INTERNAL
    assert "hunter2" not in str(reply)
    assert world.metrics.handler_errors == 1
    assert (await alice.ask(type="ping"))["type"] == "result"


async def test_an_unknown_method_is_an_error() -> None:
    world = await World().start()
    alice = await world.connected("alice")
    assert (await alice.ask(type="call", method="nope"))["code"] == ErrorCode.METHOD_NOT_FOUND


async def test_refresh_moves_the_expiry_but_not_the_user() -> None:
    world = await World().start()
    world.policy.expires = world.clock.now() + 60
    alice = await world.connected("alice")
    world.policy.expires = world.clock.now() + 600
    reply = await alice.ask(type="refresh", token="alice")
    assert reply["result"]["expires"] == world.policy.expires
    assert (await alice.ask(type="refresh", token="mallory"))["code"] == ErrorCode.INVALID_TOKEN
    assert alice.connection.session.user == "alice"  # type: ignore[union-attr]


# --- hooks, rules and server-side subscriptions ---------------------------------------------------------------


async def test_on_connect_may_refuse() -> None:
    world = World()

    async def hook(session: Session) -> None:
        if session.user == "mallory":
            raise HubbubError(ErrorCode.PERMISSION_DENIED, "not you")
        await session.subscribe("news")

    world.handlers.connected.append(hook)
    await world.start()
    mallory = world.client()
    assert (await mallory.ask(type="connect", token="mallory"))["message"] == "not you"
    assert mallory.connection.closed is AUTH_FAILED
    assert "mallory" not in world.hub.users
    alice = world.client()
    alice.send(type="connect", token="alice")
    await settle()
    assert [each["type"] for each in alice.take()] == ["connected", "subscribed", "join"]


async def test_a_rule_is_final_where_it_matches() -> None:
    from hubbub.hub.handlers import Rule

    world = World()
    world.policy.refuse = {("subscribe", "orders:1"), ("subscribe", "other")}

    async def own(session: Session, channel: str) -> bool:
        return channel == f"orders:{session.user}"

    world.handlers.rules.append(Rule("subscribe", "orders:*", own))
    await world.start()
    client = await world.connected("1")
    assert (await client.ask(type="subscribe", channel="orders:1"))["type"] == "subscribed"
    assert (await client.ask(type="subscribe", channel="orders:2"))["code"] == ErrorCode.PERMISSION_DENIED
    assert (await client.ask(type="subscribe", channel="other"))["code"] == ErrorCode.PERMISSION_DENIED


async def test_the_token_s_channels_are_subscribed_by_the_server() -> None:
    world = World()
    world.policy.principal["alice"] = Principal("alice", subscribe=("news", "user:alice"))
    await world.start()
    alice = world.client()
    alice.send(type="connect", token="alice")
    await settle()
    assert [each["channel"] for each in alice.take("subscribed")] == ["news", "user:alice"]


async def test_a_connection_that_goes_while_the_policy_thinks_leaves_nothing() -> None:
    world = await World().start()
    policy: OpenPolicy = world.policy
    policy.gate = asyncio.Event()
    client = world.client()
    client.send(type="connect", token="alice")
    await settle()
    client.drop()
    policy.gate.set()
    await settle()
    assert not world.hub.sessions
    assert not world.hub.users
