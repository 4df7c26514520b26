"""What is in no contract: how logs in JetStream are trimmed, and what happens when many append."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
import pytest
from tests.broker.nats_case import Node, running
from tests.waiting import until

from hubbub.broker.nats_log import TRIM, channel_of, token_of
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, Position, Retention
from hubbub.testing.contracts import publication
from hubbub.testing.nats import NatsServer

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with NatsServer() as server:
        yield server


async def stored(node: Node, channel: str) -> int:
    """Messages in the stream that are the channel's."""
    name = node.config.nats.prefix
    subject = f"{name}.log.{token_of(channel)}"
    answer = await node.engine.api(f"STREAM.INFO.{name}_log", subjects_filter=subject)
    count: int = (answer["state"].get("subjects") or {}).get(subject, 0)
    return count


async def trimmed(node: Node) -> None:
    await until(lambda: not node.broker._logs._trimming)


@pytest.mark.parametrize("channel", ["a", "a.b.c", "a:b*>", "ü/@=+,~", "x" * 255])
def test_names_are_one_token(channel: str) -> None:
    token = token_of(channel)
    assert not set(token) & set(". *>\r\n")
    assert channel_of(token) == channel


async def test_a_log_is_trimmed_and_says_what_it_has_forgotten(server: NatsServer) -> None:
    async with running(server.url) as (node,):
        kept = Retention(10, 600.0)
        for number in range(1, TRIM + 1):
            accepted = await node.broker.publish(Envelope(publication("a", number)), kept)
        await trimmed(node)
        assert await stored(node, "a") == 10
        assert accepted.position is not None
        epoch = accepted.position.epoch
        for since, complete in ((TRIM - 11, False), (TRIM - 10, True)):
            history = await node.broker.history("a", kept, since=Position(epoch, since))
            assert history.complete is complete
            assert [each.offset for each in history.publications] == list(range(TRIM - 9, TRIM + 1))
        after = await node.broker.publish(Envelope(publication("a", 0)), kept)
        assert after.position == Position(epoch, TRIM + 1)


async def test_a_conflated_log_keeps_the_latest_of_each_and_knows_what_it_has_forgotten(
    server: NatsServer,
) -> None:
    async with running(server.url) as (node,):
        kept = Retention(3, 600.0, True)
        rare = ["x", "y", "z"]
        for number in range(1, TRIM + 1):
            key = rare[number - 1] if number <= 3 else f"k{number % 2}"
            accepted = await node.broker.publish(Envelope(publication("a", number, key=key)), kept)
        await trimmed(node)
        # The begin, the three that are kept, and one more, which tells what was forgotten.
        assert await stored(node, "a") == 5
        assert accepted.position is not None
        epoch = accepted.position.epoch
        for since, complete in ((1, False), (2, True), (3, True), (50, True)):
            history = await node.broker.history("a", kept, since=Position(epoch, since))
            assert (history.complete, since) == (complete, since)
        history = await node.broker.history("a", kept)
        assert [each.offset for each in history.publications] == [3, TRIM - 1, TRIM]


async def test_many_nodes_append_to_one_log(server: NatsServer) -> None:
    async with running(server.url, 3) as nodes:
        await nodes[0].broker.subscribe("a")  # it alone hears how far the others are
        kept = Retention(1000, 600.0)

        async def publish(node: Node, name: int) -> None:
            for number in range(30):
                push = publication("a", f"[{name},{number}]")
                await node.broker.publish(Envelope(push), kept)

        await asyncio.gather(*(publish(node, name) for name, node in enumerate(nodes)))
        live = await nodes[0].inbox.expect(90)
        assert [each.offset for each in live] == list(range(1, 91))
        for name in range(3):
            own = [bytes(each.data) for each in live if bytes(each.data).startswith(b"[%d," % name)]
            assert own == [b"[%d,%d]" % (name, number) for number in range(30)]


async def test_a_key_counts_when_what_it_published_is_trimmed(server: NatsServer) -> None:
    async with running(server.url, 2) as (here, there):
        small = Retention(1, 600.0)
        envelope = Envelope(publication("a", 1))
        first = await here.broker.publish(envelope, small, key="k")
        for number in range(TRIM):
            await here.broker.publish(Envelope(publication("a", number)), small)
        await trimmed(here)
        assert await stored(here, "a") <= 2
        again = await there.broker.publish(envelope, small, key="k")
        assert again == msgspec.structs.replace(first, duplicate=True)
        with pytest.raises(HubbubError) as refusal:
            await there.broker.publish(Envelope(publication("a", 2)), small, key="k")
        assert refusal.value.code is ErrorCode.IDEMPOTENCY_CONFLICT


async def test_a_stream_that_is_lost_begins_logs_anew_and_no_cache_tells_otherwise(
    server: NatsServer,
) -> None:
    async with running(server.url, 2) as (here, there):
        kept = Retention(100, 600.0)
        old = (await here.broker.publish(Envelope(publication("a", 1)), kept)).position
        assert old is not None
        await here.engine.api(f"STREAM.PURGE.{here.config.nats.prefix}_log")
        assert not (await there.broker.history("a", kept, since=old)).complete
        new = (await here.broker.publish(Envelope(publication("a", 1)), kept)).position
        assert new is not None
        assert new.epoch != old.epoch
        assert new.offset == 1


async def test_another_kind_of_log_is_another_log(server: NatsServer) -> None:
    async with running(server.url, 2) as (here, there):
        plain, conflated = Retention(100, 600.0), Retention(100, 600.0, True)
        places = []
        for node, retention in ((here, plain), (there, plain), (here, conflated), (there, plain)):
            accepted = await node.broker.publish(Envelope(publication("a", 1)), retention)
            assert accepted.position is not None
            places.append(accepted.position)
        assert [place.offset for place in places] == [1, 2, 1, 1]
        assert len({place.epoch for place in places}) == 3
        assert len((await here.broker.history("a", plain)).publications) == 1


async def test_a_message_that_nats_would_not_take_is_refused(server: NatsServer) -> None:
    async with running(server.url) as (node,):
        await node.broker.subscribe("a")
        largest = node.engine.info.max_payload
        for retention in (Retention(), Retention(10)):
            with pytest.raises(HubbubError) as refusal:
                await node.broker.publish(Envelope(publication("a", b"1" * largest)), retention)
            assert refusal.value.code is ErrorCode.MESSAGE_TOO_LARGE
            await node.broker.publish(
                Envelope(publication("a", b"1" * (largest - 2048))), retention, key="k" * 99
            )
        carried = msgspec.structs.replace(publication("a", b"1" * largest), epoch="e", offset=1)
        await node.broker.publish(Envelope(carried))
        assert node.metrics.broker_local_only == 1
        await node.inbox.expect(3)
        assert node.broker.condition.up
