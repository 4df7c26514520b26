"""The promises of `hubbub.broker.base.Broker`."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import ClassVar

import anyio
import anyio.lowlevel
import pytest
from msgspec import Raw

from hubbub.broker.base import Accepted, Broker
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, History, Join, Leave, Member, Position, Publication, Retention

PATIENCE = 10.0


def publication(
    channel: str,
    data: object = 0,
    *,
    event: str = "message",
    key: str | None = None,
    publication_id: str = "",
    sender: str | None = None,
    time: float = 0.0,
) -> Publication:
    """A publication whose data is the JSON number or string given; `key` is its conflation key."""
    raw = Raw(data if isinstance(data, bytes) else str(data).encode())
    return Publication(channel, event, raw, publication_id, sender, time, conflation_key=key)


class Inbox:
    """A listener that remembers every envelope, in order."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self._arrival = anyio.Event()

    def __call__(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)
        self._arrival.set()

    async def expect(self, count: int) -> list[Publication]:
        """Wait until `count` envelopes have come; fails if they do not, or if there are more."""
        with anyio.fail_after(PATIENCE):
            while len(self.envelopes) < count:
                self._arrival = anyio.Event()
                await self._arrival.wait()
        assert len(self.envelopes) == count
        return self.publications

    @property
    def publications(self) -> list[Publication]:
        return [envelope.push for envelope in self.envelopes if isinstance(envelope.push, Publication)]


class BrokerContract:
    """Subclass it, implement `open`, `elapse` and `lose`, and run it with pytest and anyio's plugin.

    Every test has a broker of its own from `open`, but the brokers may share one server: channel names and keys
    are unique to each test. Against a server with real time, make `ttl` and `idempotency_ttl` short.
    """

    pytestmark = pytest.mark.anyio

    ttl: ClassVar[float] = 60.0
    idempotency_ttl: ClassVar[float] = 60.0

    async def open(self) -> Broker:
        """A new broker, not started, that remembers keys for `idempotency_ttl` seconds."""
        raise NotImplementedError

    async def elapse(self, seconds: float) -> None:
        """Let the broker's time pass."""
        raise NotImplementedError

    async def lose(self, broker: Broker, channel: str) -> None:
        """Make the broker lose the channel's log: by eviction, a crash, a restored backup."""
        raise NotImplementedError

    async def settle(self, broker: Broker) -> None:
        """Wait until all that was published would have been delivered. Nothing, where `publish` delivers."""

    @pytest.fixture
    def inbox(self) -> Inbox:
        return Inbox()

    @pytest.fixture
    async def broker(self, inbox: Inbox) -> AsyncIterator[Broker]:
        broker = await self.open()
        await broker.start(inbox)
        yield broker
        await broker.stop()

    @pytest.fixture
    def channel(self) -> str:
        return f"contract:{uuid.uuid4().hex}"

    def retention(self, size: int = 100, *, conflate: bool = False) -> Retention:
        return Retention(size, self.ttl, conflate)

    async def fill(self, broker: Broker, channel: str, count: int, size: int = 100) -> str:
        """Publish the numbers from 1 to `count`, so that data equals offset. Returns the epoch."""
        for number in range(1, count + 1):
            accepted = await broker.publish(Envelope(publication(channel, number)), self.retention(size))
        assert accepted.position is not None
        assert accepted.position.offset == count
        return accepted.position.epoch

    # --- publishing ---------------------------------------------------------------------------------------

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

    # --- subscribing --------------------------------------------------------------------------------------------

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

    async def head(self, broker: Broker, channel: str, *, offset: int | None = None) -> Position:
        """The log's head, or another `offset` in the same epoch."""
        head = (await broker.history(channel, self.retention(1000), limit=0)).position
        return head if offset is None else Position(head.epoch, offset)

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

    # --- order --------------------------------------------------------------------------------------------------

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

    # --- history ------------------------------------------------------------------------------------------------

    async def test_reading_begins_a_log(self, broker: Broker, channel: str) -> None:
        begun = await broker.history(channel, self.retention())
        assert begun == History(Position(begun.position.epoch, 0))
        assert begun.position.epoch
        assert (await broker.history(channel, self.retention())).position == begun.position
        assert await self.fill(broker, channel, 1) == begun.position.epoch
        caught_up = await broker.history(channel, self.retention(), since=begun.position)
        assert caught_up.complete
        assert offsets(caught_up) == [1]

    @pytest.mark.parametrize("reverse", [False, True])
    async def test_paging(self, broker: Broker, channel: str, reverse: bool) -> None:
        epoch = await self.fill(broker, channel, 10)
        pages, since = list[list[int]](), None
        for _ in range(5):
            page = await broker.history(channel, self.retention(), since=since, limit=4, reverse=reverse)
            assert page.position == Position(epoch, 10)
            assert page.complete
            pages.append(offsets(page))
            assert [int(bytes(p.data)) for p in page.publications] == offsets(page)
            if not page.more:
                break
            since = Position(epoch, offsets(page)[-1])
        if reverse:
            assert pages == [[10, 9, 8, 7], [6, 5, 4, 3], [2, 1]]
        else:
            assert pages == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]

    async def test_more_is_exact(self, broker: Broker, channel: str) -> None:
        await self.fill(broker, channel, 4)
        for limit, more in ((3, True), (4, False), (5, False)):
            for reverse in (False, True):
                page = await broker.history(channel, self.retention(), limit=limit, reverse=reverse)
                assert page.more is more

    async def test_limit_zero_gives_the_head_alone(self, broker: Broker, channel: str) -> None:
        epoch = await self.fill(broker, channel, 4)
        head = await broker.history(channel, self.retention(), limit=0)
        assert (head.position, head.publications) == (Position(epoch, 4), ())

    @pytest.mark.parametrize(
        ("since", "complete", "expected"),
        [
            pytest.param(12, True, [], id="head"),
            pytest.param(11, True, [12], id="one before the head"),
            pytest.param(8, True, [9, 10, 11, 12], id="oldest kept"),
            pytest.param(7, True, [8, 9, 10, 11, 12], id="just before the oldest kept"),
            pytest.param(6, False, [8, 9, 10, 11, 12], id="one is missing"),
            pytest.param(0, False, [8, 9, 10, 11, 12], id="from the beginning"),
            pytest.param(13, False, [8, 9, 10, 11, 12], id="beyond the head"),
        ],
    )
    async def test_recovery_at_the_edges_of_retention(
        self, broker: Broker, channel: str, since: int, complete: bool, expected: list[int]
    ) -> None:
        epoch = await self.fill(broker, channel, 12, size=5)
        history = await broker.history(channel, self.retention(5), since=Position(epoch, since))
        assert (history.complete, offsets(history)) == (complete, expected)
        assert history.position == Position(epoch, 12)

    async def test_another_epoch_is_never_complete(self, broker: Broker, channel: str) -> None:
        await self.fill(broker, channel, 3)
        for offset in (0, 1, 3, 4):
            for epoch in ("otherlog", ""):
                history = await broker.history(channel, self.retention(), since=Position(epoch, offset))
                assert (history.complete, offsets(history)) == (False, [1, 2, 3])

    async def test_a_lost_log_begins_a_new_epoch(self, broker: Broker, inbox: Inbox, channel: str) -> None:
        old = await self.fill(broker, channel, 3)
        await self.lose(broker, channel)
        new = await self.fill(broker, channel, 3)
        assert new != old
        for offset in range(4):
            history = await broker.history(channel, self.retention(), since=Position(old, offset))
            assert not history.complete

    async def test_old_publications_expire_and_the_position_stays(self, broker: Broker, channel: str) -> None:
        epoch = await self.fill(broker, channel, 3)
        await self.elapse(self.ttl * 1.5)
        retention = self.retention()
        assert await broker.history(channel, retention) == History(Position(epoch, 3))
        assert (await broker.history(channel, retention, since=Position(epoch, 3))).complete
        assert not (await broker.history(channel, retention, since=Position(epoch, 2))).complete
        accepted = await broker.publish(Envelope(publication(channel, 4)), retention)
        assert accepted.position == Position(epoch, 4)
        after = await broker.history(channel, retention, since=Position(epoch, 3))
        assert (after.complete, offsets(after)) == (True, [4])

    # --- conflation ---------------------------------------------------------------------------------------------

    async def test_conflation_keeps_the_latest_of_each_key(
        self, broker: Broker, inbox: Inbox, channel: str
    ) -> None:
        retention = self.retention(conflate=True)
        await broker.subscribe(channel)
        for number, (event, key) in enumerate(
            [
                ("move", "ann"),
                ("move", "bob"),
                ("move", None),
                ("move", "ann"),
                ("stop", None),
                ("move", "ann"),
            ],
            1,
        ):
            push = publication(channel, number, event=event, key=key)
            accepted = await broker.publish(Envelope(push), retention)
            assert accepted.position is not None
            assert accepted.position.offset == number
            epoch = accepted.position.epoch
        assert [p.offset for p in await inbox.expect(6)] == [1, 2, 3, 4, 5, 6]
        for since, expected in (
            (None, [2, 3, 5, 6]),
            (0, [2, 3, 5, 6]),
            (1, [2, 3, 5, 6]),
            (3, [5, 6]),
            (6, []),
        ):
            position = None if since is None else Position(epoch, since)
            history = await broker.history(channel, retention, since=position)
            assert (history.complete, offsets(history)) == (True, expected)
        page = await broker.history(channel, retention, limit=3, reverse=True)
        assert (offsets(page), page.more) == ([6, 5, 3], True)
        page = await broker.history(channel, retention, since=Position(epoch, 3), limit=3, reverse=True)
        assert (offsets(page), page.more) == ([2], False)
        page = await broker.history(channel, retention, since=Position(epoch, 2), limit=2)
        assert (offsets(page), page.more) == ([3, 5], True)
        for position in (Position(epoch, 7), Position("otherlog", 2)):
            assert not (await broker.history(channel, retention, since=position)).complete

    async def test_conflation_says_so_when_a_latest_value_was_dropped(
        self, broker: Broker, channel: str
    ) -> None:
        retention = self.retention(2, conflate=True)
        for number, key in enumerate(["a", "b", "a", "c"], 1):
            accepted = await broker.publish(Envelope(publication(channel, number, key=key)), retention)
        assert accepted.position is not None
        epoch = accepted.position.epoch
        for since, complete in ((1, False), (2, True), (3, True)):
            history = await broker.history(channel, retention, since=Position(epoch, since))
            assert (history.complete, offsets(history)) == (complete, [3, 4][max(0, since - 2) :])

    # --- idempotency --------------------------------------------------------------------------------------------

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

    @pytest.mark.parametrize("other", ["channel", "event", "data", "spelling of data"])
    async def test_a_key_used_for_something_else_is_a_conflict(
        self, broker: Broker, inbox: Inbox, channel: str, other: str
    ) -> None:
        await broker.subscribe(channel)
        sent = publication(channel, b'{"a":1}', event="e")
        changed = {
            "channel": publication(channel + "-2", b'{"a":1}', event="e"),
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


def offsets(history: History) -> list[int]:
    return [publication.offset or 0 for publication in history.publications]
