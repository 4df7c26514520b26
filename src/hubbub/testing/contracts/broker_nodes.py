"""What a broker promises where several nodes share it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import msgspec
import pytest
from msgspec import Raw

from hubbub.broker.base import Accepted, Broker
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, Join, Leave, Member, Position
from hubbub.testing.contracts.broker_case import BrokerCase, Inbox, publication


class NodesContract(BrokerCase):
    """Two nodes: one order, one log, one memory of keys, and neither hears what it does not want."""

    @abstractmethod
    async def interrupt(self, broker: Broker) -> None:
        """Cut what the broker listens by, as a network does. It is to come back by itself."""

    @pytest.fixture
    def there(self) -> Inbox:
        """What the other node hears."""
        return Inbox()

    @pytest.fixture
    async def other(self, there: Inbox) -> AsyncIterator[Broker]:
        other = await self.open()
        await other.start(there, there.on_missed)
        yield other
        await other.stop()

    @pytest.fixture
    async def both(self, broker: Broker, other: Broker, channel: str) -> tuple[Broker, Broker]:
        for each in (broker, other):
            await each.subscribe(channel)
            assert not each.lossless
        return broker, other

    async def test_two_nodes_hear_one_order(
        self, both: tuple[Broker, Broker], inbox: Inbox, there: Inbox, channel: str
    ) -> None:
        async def publish(node: int, name: int) -> None:
            for number in range(25):
                push = publication(channel, f"[{node},{name},{number}]")
                position = (await both[node].publish(Envelope(push), self.retention(1000))).position
                assert position is not None
                said[position.offset] = bytes(push.data)

        said: dict[int, bytes] = {}
        async with anyio.create_task_group() as tasks:
            for name in range(4):
                for node in (0, 1):
                    tasks.start_soon(publish, node, name)
        live = await inbox.expect(200)
        assert [push.offset for push in live] == list(range(1, 201))
        assert {push.offset: bytes(push.data) for push in live} == said
        assert await there.expect(200) == live
        for broker in both:
            history = await broker.history(channel, self.retention(1000), limit=1000)
            assert list(history.publications) == live

    async def test_the_condition_is_up_soon(self, both: tuple[Broker, Broker]) -> None:
        with anyio.fail_after(10):
            while not all(broker.condition.up for broker in both):
                await anyio.lowlevel.checkpoint()

    async def test_a_log_is_begun_by_whoever_comes_first(
        self, both: tuple[Broker, Broker], channel: str
    ) -> None:
        begun = (await both[0].history(channel, self.retention())).position
        accepted = await both[1].publish(Envelope(publication(channel)), self.retention())
        assert accepted.position == Position(begun.epoch, 1)

    async def test_a_key_counts_on_all_nodes(
        self, both: tuple[Broker, Broker], inbox: Inbox, there: Inbox, channel: str
    ) -> None:
        envelope = Envelope(publication(channel, 1))
        first = await both[0].publish(envelope, self.retention(), key=channel)
        assert await both[1].publish(envelope, self.retention(), key=channel) == Accepted(
            first.position, first.id, True
        )
        fleeting = await both[1].publish(envelope, key=channel + "-2")
        assert await both[0].publish(envelope, key=channel + "-2") == Accepted(None, fleeting.id, True)
        with pytest.raises(HubbubError) as refusal:
            await both[1].publish(Envelope(publication(channel, 2)), self.retention(), key=channel)
        assert refusal.value.code is ErrorCode.IDEMPOTENCY_CONFLICT
        for broker in both:
            await self.settle(broker)
        assert await inbox.expect(2) == await there.expect(2)

    async def test_one_of_many_concurrent_repeats_on_both_nodes_is_published(
        self, both: tuple[Broker, Broker], inbox: Inbox, there: Inbox, channel: str
    ) -> None:
        results: list[Accepted] = []

        async def publish(broker: Broker) -> None:
            envelope = Envelope(publication(channel, 1))
            results.append(await broker.publish(envelope, self.retention(), key=channel))

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                for broker in both:
                    tasks.start_soon(publish, broker)
        for broker in both:
            await self.settle(broker)
        assert await inbox.expect(1) == await there.expect(1)
        assert sum(not result.duplicate for result in results) == 1
        assert len({(result.position, result.id) for result in results}) == 1

    @pytest.mark.parametrize("logged", [True, False])
    async def test_what_was_published_elsewhere_arrives_as_it_was(
        self, both: tuple[Broker, Broker], inbox: Inbox, there: Inbox, channel: str, logged: bool
    ) -> None:
        sent = msgspec.structs.replace(
            publication(channel, b'{"b" : 1.0,\n"a":"\xc3\xa9\\u0000"}', event="e.v", key="k"),
            id="id-1",
            sender="ann",
            time=12.5,
            attachments=(b"\x00\xff", b""),
            spread=True,
        )
        hidden = () if logged else ("ann", "bob")
        envelope = Envelope(sent, "session-1", 12.5, ("a", "session:b"), True, hidden)
        await both[0].publish(envelope, *([self.retention()] if logged else []))
        (live,) = await there.expect(1)
        if logged:
            sent = msgspec.structs.replace(sent, epoch=live.epoch, offset=1)
        assert there.envelopes == [Envelope(sent, "session-1", 0.0, ("a", "session:b"), True, hidden)]
        assert await inbox.expect(1) == [live]
        assert inbox.envelopes[0].accepted == 12.5, "the clock of this process, and of no other"

    async def test_joins_and_leaves_are_heard_on_all_nodes(
        self, both: tuple[Broker, Broker], inbox: Inbox, there: Inbox, channel: str
    ) -> None:
        pushes = (
            Join(channel, Member("session-1", "ann", Raw(b'{"name":"Ann"}'))),
            Leave(channel, Member("session-1", "ann")),
        )
        for push in pushes:
            await both[0].publish(Envelope(push))
        await there.expect(2)
        await inbox.expect(2)
        for heard in (there, inbox):
            assert [envelope.push for envelope in heard.envelopes] == list(pushes)

    async def test_what_has_its_offset_reaches_the_others_in_order_and_nobody_twice(
        self, both: tuple[Broker, Broker], inbox: Inbox, there: Inbox, channel: str
    ) -> None:
        pushes = [
            msgspec.structs.replace(publication(channel, n), id=f"id-{n}", epoch="kept", offset=n)
            for n in range(1, 101)
        ]
        for push in pushes:
            await both[0].publish(Envelope(push))
        assert inbox.publications == pushes
        assert await there.expect(100) == pushes
        for broker in both:
            await self.settle(broker)
        await inbox.expect(100)
        await there.expect(100)

    async def test_a_node_hears_what_it_wants_and_nothing_else(
        self, broker: Broker, other: Broker, inbox: Inbox, there: Inbox, channel: str
    ) -> None:
        await other.subscribe(channel)
        await broker.subscribe(channel + "-2")
        for number in range(3):
            await broker.publish(Envelope(publication(channel, number)), self.retention())
            await other.publish(Envelope(publication(channel + "-2", number)))
        for each in (broker, other):
            await self.settle(each)
        assert {push.channel for push in await inbox.expect(3)} == {channel + "-2"}
        assert {push.channel for push in await there.expect(3)} == {channel}

    async def test_who_leaves_takes_nothing_from_the_others(
        self, both: tuple[Broker, Broker], inbox: Inbox, there: Inbox, channel: str
    ) -> None:
        await both[0].unsubscribe(channel)
        await both[0].publish(Envelope(publication(channel, 1)), self.retention())
        assert [bytes(push.data) for push in await there.expect(1)] == [b"1"]
        await both[0].subscribe(channel)
        await both[0].stop()
        await both[1].publish(Envelope(publication(channel, 2)), self.retention())
        assert [bytes(push.data) for push in await there.expect(2)] == [b"1", b"2"]
        assert inbox.envelopes == []
        await both[0].start(inbox)

    async def test_channels_of_all_nodes_are_listed(
        self, broker: Broker, other: Broker, channel: str
    ) -> None:
        await broker.subscribe(channel + "-c")
        await other.subscribe(channel + "-a")
        await other.publish(Envelope(publication(channel + "-b")), self.retention())
        names = [channel + suffix for suffix in ("-a", "-b", "-c")]
        for each in (broker, other):
            with anyio.fail_after(10):
                while await each.channels(channel) != names:
                    await anyio.lowlevel.checkpoint()
            assert await each.channels(channel, limit=2) == names[:2]
        await other.unsubscribe(channel + "-a")
        with anyio.fail_after(10):
            while await broker.channels(channel) != names[1:]:
                await anyio.lowlevel.checkpoint()

    async def test_who_was_cut_off_is_told_and_hears_again(
        self, both: tuple[Broker, Broker], inbox: Inbox, there: Inbox, channel: str
    ) -> None:
        epoch = await self.fill(both[0], channel, 2)
        await there.expect(2)
        before = there.missed
        await self.interrupt(both[1])
        await there.until(lambda: there.missed > before)
        with anyio.fail_after(10):
            while not both[1].condition.up:
                await anyio.lowlevel.checkpoint()
        await self.fill_on(both[0], channel, range(3, 6))
        await there.until(lambda: any(push.offset == 5 for push in there.publications))
        heard = [push.offset or 0 for push in there.publications]
        assert heard == sorted(set(heard))
        assert heard[-3:] == [3, 4, 5], "from when it said so, nothing is missed"
        history = await both[1].history(channel, self.retention(), since=Position(epoch, 2))
        assert history.complete
        await inbox.expect(5)

    async def fill_on(self, broker: Broker, channel: str, numbers: range) -> None:
        """Publish more numbers, that equal their offsets."""
        for number in numbers:
            accepted = await broker.publish(Envelope(publication(channel, number)), self.retention())
            assert accepted.position is not None
            assert accepted.position.offset == number
