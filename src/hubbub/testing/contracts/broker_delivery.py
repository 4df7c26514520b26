"""What a broker promises of publishing and of what subscribers hear."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import msgspec
import pytest
from msgspec import Raw

from hubbub.broker.base import Accepted, Broker
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import NO_RETENTION, Envelope, Join, Leave, Member, Position, Publication
from hubbub.testing.contracts.broker_case import BrokerCase, Inbox, publication


class DeliveryContract(BrokerCase):
    """Publishing, subscribing, order and idempotency."""

    async def test_offsets_count_from_one_without_gaps_in_one_epoch(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        await broker.subscribe(channel)
        positions = [
            (await broker.publish(Envelope(publication(channel, number)), self.retention())).position
            for number in range(20)
        ]
        assert [position and position.offset for position in positions] == list(range(1, 21))
        assert len({position and position.epoch for position in positions}) == 1
        live = await inbox.expect(20)
        assert [Position(p.epoch or "", p.offset or 0) for p in live] == positions
        assert tuple(live) == (await broker.history(channel, self.retention())).publications

    async def test_everything_published_arrives_as_it_was(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        await broker.subscribe(channel)
        data = b'{"b" : 1.0,\n"a":"\xc3\xa9\\u0000 \xf0\x9f\x90\x9d"}'
        sent = publication(
            channel, data, event="e.v", key="k", publication_id="id-1", sender="ann", time=12.5
        )
        accepted = await broker.publish(Envelope(sent, exclude="session-1"), self.retention())
        (live,) = await inbox.expect(1)
        assert inbox.envelopes[0].exclude == "session-1"
        assert bytes(live.data) == data
        assert (live.channel, live.event, live.id, live.sender, live.time, live.conflation_key) == (
            (channel, "e.v", "id-1", "ann", 12.5, "k")
        )
        assert accepted == Accepted(Position(live.epoch or "", 1), "id-1")

    @pytest.mark.parametrize("logged", [True, False])
    async def test_events_with_binary_and_several_arguments_arrive_as_they_were(
        self, broker: Broker, inbox: Inbox, channel: str, logged: bool
    ) -> None:
        await broker.subscribe(channel)
        sent = msgspec.structs.replace(
            publication(channel, b"[1,2]"), attachments=(b"\x00\xff", b""), spread=True
        )
        envelope = Envelope(sent, unless=("a", "session:b"), volatile=True)
        await broker.publish(envelope, self.retention() if logged else NO_RETENTION)
        (live,) = await inbox.expect(1)
        assert (live.attachments, live.spread) == ((b"\x00\xff", b""), True)
        assert (inbox.envelopes[0].unless, inbox.envelopes[0].volatile) == (("a", "session:b"), True)
        if logged:
            (kept,) = (await broker.history(channel, self.retention())).publications
            assert (kept.attachments, kept.spread) == (live.attachments, True)

    async def test_without_retention_nothing_is_kept_and_there_is_no_position(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        await broker.subscribe(channel)
        accepted = await broker.publish(Envelope(publication(channel)))
        assert accepted.position is None
        (live,) = await inbox.expect(1)
        assert (live.epoch, live.offset) == (None, None)
        assert (await broker.history(channel, self.retention())).publications == ()

    async def test_ids_are_made_where_none_is_given(self, broker: Broker, inbox: Inbox, channel: str) -> None:
        await broker.subscribe(channel)
        accepted = [await broker.publish(Envelope(publication(channel))) for _ in range(50)]
        accepted += [
            await broker.publish(Envelope(publication(channel)), self.retention()) for _ in range(50)
        ]
        ids = [one.id for one in accepted]
        assert len(set(ids)) == 100
        assert all(ids)
        assert [live.id for live in await inbox.expect(100)] == ids

    async def test_joins_and_leaves_are_carried_but_not_logged(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        await broker.subscribe(channel)
        member = Member("session-1", "ann", Raw(b'{"name":"Ann"}'))
        for push in (Join(channel, member), Leave(channel, member)):
            assert (await broker.publish(Envelope(push), self.retention())).position is None
        await inbox.expect(2)
        assert [envelope.push for envelope in inbox.envelopes] == [
            Join(channel, member),
            Leave(channel, member),
        ]
        assert (await broker.history(channel, self.retention())).position.offset == 0

    # --- what has its offset already -------------------------------------------------------------------------

    async def test_what_has_its_offset_is_delivered_at_once_and_once(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        await broker.subscribe(channel)
        for offset in (7, 8, 20):
            push = msgspec.structs.replace(publication(channel, offset), id="id", epoch="kept", offset=offset)
            envelope = Envelope(push, "session-1", 12.5, hidden=("ann",))
            before = len(inbox.envelopes)
            assert await broker.publish(envelope) == Accepted(None, "id")
            assert inbox.envelopes[before:] == [envelope]
        await self.settle(broker)
        await inbox.expect(3)

    async def test_what_has_its_offset_is_kept_elsewhere(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        await broker.subscribe(channel)
        push = msgspec.structs.replace(publication(channel), id="id", epoch="kept", offset=7)
        assert await broker.publish(Envelope(push), self.retention()) == Accepted(None, "id")
        (live,) = await inbox.expect(1)
        assert live == push
        assert (await broker.history(channel, self.retention())).position.offset == 0

    async def test_what_has_its_offset_reaches_only_who_is_subscribed(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        push = msgspec.structs.replace(publication(channel), id="id", epoch="kept", offset=7)
        await broker.publish(Envelope(push))
        await broker.subscribe(channel)
        await broker.unsubscribe(channel)
        await broker.publish(Envelope(push))
        await self.settle(broker)
        assert inbox.envelopes == []

    async def test_a_listener_may_publish_what_has_its_offset(self, channel: str) -> None:
        """And what it publishes does not overtake what it listens to."""
        broker, heard, within = await self.open(), Inbox(), list[int]()

        def listen(envelope: Envelope) -> None:
            push = envelope.push
            assert isinstance(push, Publication)
            within.append(push.offset or 0)
            if push.offset == 1:
                for offset in (2, 3):
                    again = msgspec.structs.replace(push, offset=offset)
                    with pytest.raises(StopIteration):
                        broker.publish(Envelope(again)).__await__().send(None)
                assert within == [1]
            heard(envelope)

        await broker.start(listen)
        await broker.subscribe(channel)
        push = msgspec.structs.replace(publication(channel), id="id", epoch="kept", offset=1)
        await broker.publish(Envelope(push))
        assert [push.offset for push in await heard.expect(3)] == [1, 2, 3]
        await self.settle(broker)
        await heard.expect(3)
        await broker.stop()

    # --- subscribing -----------------------------------------------------------------------------------------

    async def test_only_subscribed_channels_are_delivered(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        other = channel + "-other"
        await broker.publish(Envelope(publication(channel, 1)))
        await broker.subscribe(channel)
        await broker.publish(Envelope(publication(other, 2)))
        await broker.publish(Envelope(publication(channel, 3)))
        assert [bytes(p.data) for p in await inbox.expect(1)] == [b"3"]
        await broker.unsubscribe(channel)
        await broker.publish(Envelope(publication(channel, 4)))
        await broker.subscribe(other)
        await broker.publish(Envelope(publication(other, 5)))
        await self.settle(broker)
        assert [bytes(p.data) for p in await inbox.expect(2)] == [b"3", b"5"]

    async def test_subscribing_is_not_counted(self, broker: Broker, inbox: Inbox, channel: str) -> None:
        await broker.unsubscribe(channel)
        await broker.subscribe(channel)
        await broker.subscribe(channel)
        await broker.publish(Envelope(publication(channel, 1)))
        await inbox.expect(1)
        await broker.unsubscribe(channel)
        await broker.publish(Envelope(publication(channel, 2)))
        await self.settle(broker)
        await broker.subscribe(channel)
        await broker.publish(Envelope(publication(channel, 3)))
        assert [bytes(p.data) for p in await inbox.expect(2)] == [b"1", b"3"]

    async def test_no_gap_between_history_and_live_while_others_publish(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        async def publish() -> None:
            for number in range(1, 201):
                await broker.publish(Envelope(publication(channel, number)), self.retention(1000))
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(publish)
            seen = 0
            while seen < 200:
                inbox.envelopes.clear()
                await broker.subscribe(channel)
                since = await self.head(broker, channel, offset=seen)
                history = await broker.history(channel, self.retention(1000), since=since, limit=1000)
                await anyio.lowlevel.checkpoint()
                assert history.complete
                offsets = [p.offset or 0 for p in history.publications]
                offsets += [
                    p.offset or 0 for p in inbox.publications if (p.offset or 0) > history.position.offset
                ]
                assert offsets == list(range(seen + 1, seen + 1 + len(offsets)))
                seen += len(offsets)
                await broker.unsubscribe(channel)
                await anyio.lowlevel.checkpoint()

    async def test_channels_are_listed_by_prefix_in_order(self, broker: Broker, channel: str) -> None:
        await broker.subscribe(channel + "-c")
        await broker.publish(Envelope(publication(channel + "-a")), self.retention())
        await broker.subscribe(channel + "-a")
        await broker.publish(Envelope(publication(channel + "-b")), self.retention())
        await broker.publish(Envelope(publication(channel + "-unretained")))
        names = [channel + suffix for suffix in ("-a", "-b", "-c")]
        assert await broker.channels(channel) == names
        assert await broker.channels(channel, limit=2) == names[:2]
        assert await broker.channels(channel + "-b") == names[1:2]
        assert set(names) <= set(await broker.channels())

    # --- order -----------------------------------------------------------------------------------------------

    async def test_concurrent_publishers_give_one_order_to_all(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        await broker.subscribe(channel)
        said: dict[int, bytes] = {}

        async def publish(name: int) -> None:
            for number in range(25):
                push = publication(channel, f"[{name},{number}]")
                position = (await broker.publish(Envelope(push), self.retention(1000))).position
                assert position is not None
                said[position.offset] = bytes(push.data)
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as tasks:
            for name in range(8):
                tasks.start_soon(publish, name)
        live = await inbox.expect(200)
        assert [p.offset for p in live] == list(range(1, 201))
        assert {p.offset: bytes(p.data) for p in live} == said
        for name in range(8):
            own = [bytes(p.data) for p in live if bytes(p.data).startswith(b"[%d," % name)]
            assert own == [b"[%d,%d]" % (name, number) for number in range(25)]
        assert tuple(live) == (await broker.history(channel, self.retention(1000), limit=1000)).publications

    async def test_a_listener_may_publish(self, channel: str) -> None:
        broker, inbox = await self.open(), Inbox()
        async with anyio.create_task_group() as tasks:

            def echo(envelope: Envelope) -> None:
                inbox(envelope)
                push = envelope.push
                if isinstance(push, Publication) and push.event == "message":
                    for number in (1, 2):
                        again = publication(channel, number, event="echo")
                        tasks.start_soon(broker.publish, Envelope(again), self.retention())

            await broker.start(echo)
            await broker.subscribe(channel)
            for number in range(10):
                await broker.publish(Envelope(publication(channel, number)), self.retention())
            live = await inbox.expect(30)
        assert [p.offset for p in live] == list(range(1, 31))
        await broker.stop()

    async def test_a_failing_listener_loses_nothing(self, channel: str) -> None:
        broker, inbox = await self.open(), Inbox()

        def fail(envelope: Envelope) -> None:
            inbox(envelope)
            if len(inbox.envelopes) == 1:
                raise RuntimeError("this receiver is broken")

        await broker.start(fail)
        await broker.subscribe(channel)
        assert await self.fill(broker, channel, 3)
        assert [p.offset for p in await inbox.expect(3)] == [1, 2, 3]
        assert len((await broker.history(channel, self.retention())).publications) == 3
        await broker.stop()

    # --- idempotency -----------------------------------------------------------------------------------------

    async def test_a_repeated_key_gives_the_first_result_and_sends_nothing(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        await broker.subscribe(channel)
        envelope = Envelope(publication(channel, 1))
        first = await broker.publish(envelope, self.retention(), key=channel)
        assert first.duplicate is False
        again = await broker.publish(envelope, self.retention(), key=channel)
        assert again == Accepted(first.position, first.id, True)
        unretained = await broker.publish(envelope, key=channel + "-2")
        assert await broker.publish(envelope, key=channel + "-2") == Accepted(None, unretained.id, True)
        await self.settle(broker)
        await inbox.expect(2)
        assert (await broker.history(channel, self.retention())).position.offset == 1

    @pytest.mark.parametrize("other", ["event", "data", "spelling of data"])
    async def test_a_key_used_for_something_else_is_a_conflict(
        self, broker: Broker, inbox: Inbox, channel: str, other: str
    ) -> None:
        await broker.subscribe(channel)
        sent = publication(channel, b'{"a":1}', event="e")
        changed = {
            "event": publication(channel, b'{"a":1}', event="f"),
            "data": publication(channel, b'{"a":2}', event="e"),
            "spelling of data": publication(channel, b'{"a": 1}', event="e"),
        }[other]
        first = await broker.publish(Envelope(sent), self.retention(), key=channel)
        with pytest.raises(HubbubError) as refusal:
            await broker.publish(Envelope(changed), self.retention(), key=channel)
        assert refusal.value.code is ErrorCode.IDEMPOTENCY_CONFLICT
        again = await broker.publish(Envelope(sent), self.retention(), key=channel)
        assert again == Accepted(first.position, first.id, True)
        await self.settle(broker)
        await inbox.expect(1)

    async def test_the_key_in_another_channel_is_another_key(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        for each in (channel, channel + "-2"):
            await broker.subscribe(each)
            accepted = await broker.publish(Envelope(publication(each)), self.retention(), key=channel)
            assert not accepted.duplicate
        await self.settle(broker)
        await inbox.expect(2)

    async def test_another_senders_key_is_another_key(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        await broker.subscribe(channel)
        for sender in ("ann", "bob"):
            push = publication(channel, sender=sender)
            accepted = await broker.publish(Envelope(push), self.retention(), key=f"{sender}:{channel}")
            assert not accepted.duplicate
        assert [p.sender for p in await inbox.expect(2)] == ["ann", "bob"]

    async def test_keys_are_forgotten_after_their_time(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        await broker.subscribe(channel)
        first = await broker.publish(Envelope(publication(channel, 1)), self.retention(), key=channel)
        await self.elapse(self.idempotency_ttl * 1.5)
        second = await broker.publish(Envelope(publication(channel, 2)), self.retention(), key=channel)
        assert not second.duplicate
        assert second.id != first.id
        await inbox.expect(2)

    async def test_one_of_many_concurrent_repeats_is_published(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        await broker.subscribe(channel)
        results: list[Accepted] = []

        async def publish() -> None:
            envelope = Envelope(publication(channel, 1))
            results.append(await broker.publish(envelope, self.retention(), key=channel))

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(publish)
        await self.settle(broker)
        await inbox.expect(1)
        assert sum(not result.duplicate for result in results) == 1
        assert len({(result.position, result.id) for result in results}) == 1
