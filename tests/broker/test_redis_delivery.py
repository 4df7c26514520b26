"""What of RedisBroker is its own: what it listens to, what it thinks of silence, and what comes late."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from pydantic import SecretStr
from tests.broker.redis_case import KEPT, Node, running
from tests.waiting import until

from hubbub.broker.envelopes import FLEETING, body_of, place, read_header, stamp
from hubbub.broker.redis_names import naming
from hubbub.config.cluster import RedisConfig
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, Join, Member, Position, Publication, Retention
from hubbub.testing.contracts import publication
from hubbub.testing.redis import RedisServer

pytestmark = pytest.mark.anyio


def placed(channel: str, offset: int, data: object = 0) -> Envelope:
    return Envelope(msgspec.structs.replace(publication(channel, data), id="id", epoch="kept", offset=offset))


async def test_a_node_receives_nothing_of_channels_that_it_does_not_want(redis_config: RedisConfig) -> None:
    async with running(redis_config) as (here, there):
        await there.subscribe("a")
        for number in range(20):
            await there.say("a", number)
            await there.publish(Envelope(publication("a")))
            await there.publish(placed("a", number))
        await there.inbox.expect(60)
        await here.engine.settle()
        assert here.engine.frames == 0


@pytest.mark.parametrize("channel", ["a{b}c", "{a}", "%7Ba%7D", "a%", "}{", "ä b:c,d", "a*[b]?\\^-"])
async def test_any_name_is_its_own_channel(redis_config: RedisConfig, channel: str) -> None:
    async with running(redis_config) as (here, there):
        await here.subscribe(channel)
        assert await there.say(channel, 1)
        assert (await here.inbox.expect(1))[0].channel == channel
        await there.say(channel.swapcase() + "x", 2)
        await there.publish(Envelope(publication(channel, 3)), KEPT, key="}k{")
        assert [bytes(push.data) for push in await here.inbox.expect(2)] == [b"1", b"3"]
        await until_listed(there, channel)


async def until_listed(node: Node, channel: str) -> None:
    for prefix in (channel, channel[:1], ""):
        async with asyncio.timeout(10):
            while channel not in await node.channels(prefix):  # noqa: ASYNC110 Redis tells nobody
                await asyncio.sleep(0)
    assert await node.channels(channel + "?") == []


async def test_what_is_too_large_is_refused_and_says_so(redis_config: RedisConfig) -> None:
    config = redis_config.model_copy(update={"message_bytes": 1_000})
    async with running(config) as (here, there):
        for node in (here, there):
            await node.subscribe("a")
        large = b'"' + b"x" * 1_000 + b'"'
        for arguments, key in (((KEPT,), None), ((KEPT,), "k"), ((), None), ((), "k")):
            with pytest.raises(HubbubError) as refusal:
                await here.publish(Envelope(publication("a", large)), *arguments, key=key)
            assert refusal.value.code is ErrorCode.MESSAGE_TOO_LARGE
            assert "redis.message_bytes = 1000" in refusal.value.message
        assert here.metrics.rejected["redis.message_bytes"] == 4
        # What is kept elsewhere is in its log; the others find it there.
        await here.publish(placed("a", 1, large.decode()))
        await here.inbox.expect(1)
        assert here.metrics.broker_local_only == 1
        await here.publish(placed("a", 2))
        assert [push.offset for push in await there.inbox.expect(1)] == [2]
        assert (await here.history("a", KEPT)).position.offset == 0


async def test_the_clock_of_another_process_is_not_believed(redis_config: RedisConfig) -> None:
    async with running(redis_config) as (here, there):
        for node in (here, there):
            await node.subscribe("a")
        for arguments in ((), (KEPT,)):
            await here.publish(Envelope(publication("a"), accepted=12.5), *arguments)
        await here.inbox.expect(2)
        await there.inbox.expect(2)
        assert [envelope.accepted for envelope in here.inbox.envelopes] == [12.5, 12.5]
        assert [envelope.accepted for envelope in there.inbox.envelopes] == [0.0, 0.0]


async def test_who_is_deaf_and_does_not_know_it_learns_it_from_the_count(redis_config: RedisConfig) -> None:
    async with running(redis_config, 1) as (node,):
        await node.subscribe("a")
        name = naming(redis_config.prefix)("a").channel
        ways: list[tuple[Envelope, dict[str, Any]]] = [
            (Envelope(publication("a")), {"retention": KEPT}),
            (Envelope(publication("a")), {}),
            (Envelope(publication("a")), {"key": "k"}),
            (placed("a", 1), {}),
        ]
        for number, (envelope, more) in enumerate(ways, 1):
            await until(lambda: node.condition.up)
            missed = node.inbox.missed
            await node.engine.unlisten(name)
            await node.publish(envelope, **more)
            await until(lambda number=number: node.metrics.broker_unheard == number)  # type: ignore[misc]
            await until(lambda missed=missed: node.inbox.missed > missed)  # type: ignore[misc]
            await node.engine.listen(name)
        await until(lambda: node.condition.up)
        heard = len(node.inbox.envelopes)
        await node.say("a", 2)
        await node.inbox.expect(heard + 1)
        assert node.metrics.broker_unheard == 4


async def test_a_burst_that_nobody_hears_makes_it_listen_anew_once(redis_config: RedisConfig) -> None:
    async with running(redis_config, 1) as (node,):
        await node.subscribe("a")
        await node.engine.unlisten(naming(redis_config.prefix)("a").channel)
        calls: list[None] = []
        relisten = node.engine.relisten
        node.engine.relisten = lambda: calls.append(relisten())  # type: ignore[method-assign]
        await asyncio.gather(*(node.say("a", number) for number in range(50)))
        await until(lambda: node.inbox.missed)
        assert node.metrics.broker_unheard > 1
        assert len(calls) == 1


async def test_nothing_is_remembered_of_what_went_well(redis_config: RedisConfig) -> None:
    async with running(redis_config, 1) as (node,):
        await node.subscribe("a")
        for channel in "ab":
            await node.publish(Envelope(publication(channel)))
            await node.publish(Envelope(publication(channel)), key="k")
            await node.publish(Envelope(publication(channel)), key="k")
        await node.engine.settle()
        assert node._frames._flying == set()


async def test_a_log_that_was_begun_by_reading_is_listed(redis_config: RedisConfig) -> None:
    async with running(redis_config) as (here, there):
        await here.history("a", KEPT)
        await until_listed(there, "a")


async def test_every_call_may_begin_an_epoch_of_its_own(redis_config: RedisConfig) -> None:
    """Logs that are lost again and again within a microsecond, or with a clock that stands, must not get one twice."""
    async with running(redis_config) as nodes:
        seeds: list[str] = []
        for node in nodes:
            run = node.engine.run

            async def spied(script: Any, keys: Any, arguments: Any = (), run: Any = run) -> Any:
                if len(arguments) > 5:
                    seeds.append(arguments[5])
                return await run(script, keys, arguments)

            node.engine.run = spied  # type: ignore[method-assign, assignment]
            for _ in range(5):
                await node.say("a", 1)
                await node.publish(Envelope(msgspec.structs.replace(publication("a"), id="id")), KEPT)
                await node.history("a", KEPT)
        assert len(seeds) == len(set(seeds)) == 30


async def test_nobody_there_is_no_deafness(redis_config: RedisConfig) -> None:
    async with running(redis_config, 1) as (node,):
        await node.subscribe("a")
        await node.unsubscribe("a")
        await asyncio.gather(node.say("a", 1), node.subscribe("a"), node.unsubscribe("a"), node.say("a", 2))
        await node.publish(Envelope(publication("b")))
        await node.publish(placed("b", 1))
        await node.engine.settle()
        assert node.metrics.broker_unheard == 0


async def test_subscribing_and_leaving_at_once_ends_as_was_said_last(redis_config: RedisConfig) -> None:
    async with running(redis_config, 1) as (node,):
        for last in (True, False) * 5:
            await asyncio.gather(
                *(node.subscribe("a") if n % 2 == last else node.unsubscribe("a") for n in range(5, 0, -1)),
                node.subscribe("a") if last else node.unsubscribe("a"),
            )
            before = len(node.inbox.envelopes)
            await node.say("a", 1)
            await node.engine.settle()
            assert len(node.inbox.envelopes) - before == last


async def test_what_cannot_be_read_in_a_log_is_left_out_and_said(redis_config: RedisConfig) -> None:
    async with running(redis_config, 1) as (node,):
        for number in range(1, 4):
            position = await node.say("a", number)
        names = naming(redis_config.prefix)("a")
        await node.engine.call("XDEL", names.stream, "2-0", key=names.stream)
        await node.engine.call("DEL", names.stream, key=names.stream)
        for number in range(1, 4):
            newer = body_of(Envelope(publication("a", number)))
            body = newer if number != 2 else b"\x09" + newer[1:]
            await node.engine.call(
                "XADD", names.stream, f"{number}-0", "t", 2**45, "p", body, key=names.stream
            )
        history = await node.history("a", KEPT, since=Position(position.epoch, 0))
        assert [push.offset for push in history.publications] == [1, 3]
        assert not history.complete
        assert history.position == position


async def test_an_echo_of_what_was_delivered_alone_is_not_delivered_again(redis_config: RedisConfig) -> None:
    """Redis did not answer, and yet it was published: it comes later, perhaps much later."""
    async with running(redis_config, 1) as (node,):
        await node.subscribe("a")
        envelope = Envelope(publication("a", 1))
        frames: list[bytes] = []

        async def silent(name: str, payload: bytes) -> int:
            frames.append(payload)
            if len(frames) == 2:
                node.engine.heard(name, payload)  # before we know that there was no answer
            raise HubbubError(ErrorCode.BROKER_UNAVAILABLE)

        node.engine.publish = silent  # type: ignore[method-assign]
        await node.publish(envelope)
        await node.inbox.expect(1)
        await node.publish(envelope)
        live = await node.inbox.expect(2)
        assert all(push.id for push in live)
        for frame in frames:
            node.engine.heard("a", frame)
        assert len(node.inbox.envelopes) == 3, (
            "the second was heard already: this is another, as far as we know"
        )
        node.engine.heard("a", frames[0])
        assert len(node.inbox.envelopes) == 4, "and nothing is remembered for ever"
        assert node.metrics.broker_local_only == 2


async def test_joins_go_alone_too(redis_config: RedisConfig) -> None:
    node = Node(redis_config)
    await node.subscribe("a")
    node._delivery.listener = node.inbox
    envelope = Envelope(Join("a", Member("s", "ann")), "s", 12.5)
    await node.publish(envelope)
    assert node.inbox.envelopes == [envelope]


async def test_it_can_be_stopped_and_started_again(redis_config: RedisConfig) -> None:
    async with running(redis_config) as (here, there):
        await here.subscribe("a")
        await here.say("a", 1)
        await here.inbox.expect(1)
        await here.stop()
        await there.say("a", 2)
        await here.start()
        await there.say("a", 3)
        await here.subscribe("a")
        await there.say("a", 4)
        assert [push.offset for push in await here.inbox.expect(2)] == [1, 4]
        assert here.engine.missed.count(here._may_have_missed) == 1


async def test_what_others_write_into_the_channel_becomes_a_dead_letter(redis_config: RedisConfig) -> None:
    async with running(redis_config, 1) as (node,):
        await node.subscribe("a")
        name = naming(redis_config.prefix)("a").channel
        for frame in (b"", b"\x00hello", b"\x02 from the future"):
            await node.engine.publish(name, frame)
        await node.say("a", 1)
        await node.inbox.expect(1)
        letters = list(reversed(await node.dead_letters.page()))
        assert [(each.channel, each.reason, each.frame) for each in letters] == [
            ("a", "malformed", b""),
            ("a", "malformed", b"\x00hello"),
            ("a", "version", b"\x02 from the future"),
        ]
        assert node.metrics.dead_letters == {"malformed": 2, "version": 1}


async def test_logs_leave_the_index_when_they_end(redis_config: RedisConfig) -> None:
    config = redis_config.model_copy(update={"log_ttl": 0.001})  # a second at the least, and pauses
    async with running(config, 1) as (node,):
        await node.say("a", 1, Retention(10, 0.001))
        await until_listed(node, "a")
        index = f"{redis_config.prefix}:logs"
        await node.engine.call("ZADD", index, 1, "gone", 2**52, "there", key=index)
        assert await node.channels() == ["a", "there"]
        assert await node.engine.call("ZSCORE", index, "gone", key=index) is None
        for key in (index, *list(msgspec.structs.astuple(naming(config.prefix)("a")))[1:3]):
            assert await node.engine.call("PTTL", key, key=key) > 0


def test_a_frame_says_who_sent_it() -> None:
    frame = stamp(FLEETING, b"12345678", 1.5) + place(7) + body_of(Envelope(Publication("a", "b", Raw(b"1"))))
    header = read_header(frame)
    assert (header.origin, header.accepted, header.number) == (b"12345678", 1.5, 7)


async def test_the_rights_that_the_page_names_are_enough(
    redis_server: RedisServer, redis_config: RedisConfig
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "redis.md").read_text(encoding="utf-8")
    found = re.search(r"^ACL SETUSER hubbub (.*)$", page, re.MULTILINE)
    assert found is not None
    rights = found[1].replace("hubbub:*", f"{redis_config.prefix}:*").split()
    await asyncio.to_thread(redis_server.ask, "ACL", "SETUSER", redis_config.prefix, *rights)
    url = redis_server.url.replace("//", f"//{redis_config.prefix}:password@")
    config = redis_config.model_copy(update={"url": SecretStr(url)})
    async with running(config) as (here, there):
        await there.subscribe("a")
        await here.say("a", 1)
        await here.say("a", 2, Retention(10, 1.0, conflate=True), key="k")
        await here.publish(Envelope(publication("a")), key="k2")
        await here.publish(placed("a", 1))
        await there.inbox.expect(4)
        assert (await here.history("a", KEPT)).complete
        await until_listed(here, "a")
        here.dead_letters.add("a", "version", "", b"")
        (letter,) = await there.dead_letters.page()
        assert await there.dead_letters.get(letter.id) == letter
        assert await there.dead_letters.drop(letter.id) == 1
        assert await there.dead_letters.drop() == 0
        assert not here.metrics.engine_errors
