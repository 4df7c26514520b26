"""What a broker promises of the logs that it keeps."""

from __future__ import annotations

import pytest

from hubbub.broker.base import Broker
from hubbub.model import NO_RETENTION, Envelope, History, Position, Retention
from hubbub.testing.contracts.broker_case import BrokerCase, Inbox, offsets, publication


class LogContract(BrokerCase):
    """History, recovery, retention, epochs and conflation."""

    async def test_reading_begins_a_log(self, broker: Broker, channel: str) -> None:
        begun = await broker.history(channel, self.retention())
        assert begun == History(Position(begun.position.epoch, 0))
        assert begun.position.epoch
        assert (await broker.history(channel, self.retention())).position == begun.position
        assert await self.fill(broker, channel, 1) == begun.position.epoch
        caught_up = await broker.history(channel, self.retention(), since=begun.position)
        assert caught_up.complete
        assert offsets(caught_up) == [1]

    async def test_without_retention_there_is_no_log_to_read(self, broker: Broker, channel: str) -> None:
        nowhere = Position("", 0)
        assert await broker.history(channel, NO_RETENTION) == History(nowhere)
        assert await broker.history(channel, NO_RETENTION, since=nowhere) == History(nowhere, complete=False)

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
        retention = Retention(100, self.ttl)
        for number in range(1, 4):
            accepted = await broker.publish(Envelope(publication(channel, number)), retention)
        assert accepted.position is not None
        epoch = accepted.position.epoch
        await self.elapse(self.ttl * 1.5)
        assert await broker.history(channel, retention) == History(Position(epoch, 3))
        assert (await broker.history(channel, retention, since=Position(epoch, 3))).complete
        assert not (await broker.history(channel, retention, since=Position(epoch, 2))).complete
        accepted = await broker.publish(Envelope(publication(channel, 4)), retention)
        assert accepted.position == Position(epoch, 4)
        after = await broker.history(channel, retention, since=Position(epoch, 3))
        assert (after.complete, offsets(after)) == (True, [4])

    # --- conflation ------------------------------------------------------------------------------------------

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
