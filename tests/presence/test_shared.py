from __future__ import annotations

import math

import pytest
from tests.presence.book import Book, View

from hubbub.model import Join, Leave, Member, Presence
from hubbub.presence.base import PresenceStore
from hubbub.presence.shared import GRACE, REFRESH, SharedPresence
from hubbub.telemetry.metrics import Metrics
from hubbub.testing import FakeClock
from hubbub.testing.contracts import SharedPresenceContract

pytestmark = pytest.mark.anyio

ANN, BOB = Member("s1", "ann"), Member("s2", "bob")


class TestContract(SharedPresenceContract):
    @pytest.fixture(autouse=True)
    def made(self) -> None:
        self.clock = FakeClock()
        self.book = Book(self.clock)
        self.count = 0

    async def open(self) -> PresenceStore:
        self.count += 1
        return SharedPresence(View(self.book), f"n{self.count}", self.clock, Metrics(), lease=self.lease)

    async def elapse(self, seconds: float) -> None:
        self.clock.advance(seconds)


class Pair:
    """Two nodes."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.book = Book(self.clock)
        self.views = View(self.book), View(self.book)
        self.metrics = Metrics()
        self.one = SharedPresence(self.views[0], "one", self.clock, self.metrics)
        self.two = SharedPresence(self.views[1], "two", self.clock, Metrics())

    async def seconds(self, count: float) -> list[Join | Leave]:
        told = []
        for _ in range(math.ceil(count)):
            self.clock.advance(1.0)
            told += await self.one.sweep() + await self.two.sweep()
        return told


@pytest.fixture
def pair() -> Pair:
    return Pair()


async def test_entries_cost_nothing_while_nothing_changes(pair: Pair) -> None:
    for number in range(1_000):
        await pair.one.touch(f"c{number}", Member(f"s{number}", "ann"), math.inf)
        assert await pair.one.touch(f"c{number}", Member(f"s{number}", "ann"), math.inf) is False
    await pair.seconds(2)
    pair.views[0].calls.clear()
    await pair.seconds(30)
    assert pair.views[0].calls == ["beat"] * 30


async def test_alone_the_store_answers_from_what_it_knows(pair: Pair) -> None:
    await pair.two.touch("a", BOB, math.inf)
    for view in pair.views:
        view.cut = True
    assert await pair.one.touch("a", ANN, math.inf) is True
    assert await pair.one.touch("a", Member("s3", "ann"), math.inf) is False
    assert await pair.one.members("a", 10) == Presence(2, 1, (ANN, Member("s3", "ann")))
    assert await pair.one.members("a", 1) == Presence(2, 1)
    assert await pair.one.remove("a", "s1") is None, "whether she is elsewhere is not known"
    assert await pair.one.remove("a", "s3") is None
    assert await pair.one.sweep() == []
    assert pair.metrics.presence_local
    assert not pair.one.converged
    assert pair.metrics.gauges["presence_behind"]() > 0


async def test_what_happened_alone_is_told_when_the_store_is_back(pair: Pair) -> None:
    await pair.one.touch("a", ANN, math.inf)
    await pair.two.touch("a", BOB, math.inf)
    for view in pair.views:
        view.cut = True
    await pair.one.remove("a", "s1")
    await pair.two.touch("b", BOB, math.inf)
    await pair.seconds(20)
    for view, store in zip(pair.views, (pair.one, pair.two), strict=True):
        view.cut = False
        store.renew()
    told = await pair.seconds(GRACE + 2)
    assert sorted(told, key=repr) == sorted([Leave("a", ANN), Join("b", BOB)], key=repr)
    assert await pair.one.members("a", 10) == Presence(1, 1, (BOB,))
    assert await pair.one.members("b", 10) == Presence(1, 1, (BOB,))
    await pair.seconds(8)
    assert pair.one.converged
    assert pair.two.converged


async def test_what_was_emptied_is_filled_again_and_nobody_is_told(pair: Pair) -> None:
    await pair.one.touch("a", ANN, math.inf)
    await pair.two.touch("a", Member("s3", "ann"), math.inf)
    await pair.two.touch("b", BOB, math.inf)
    await pair.seconds(1)
    pair.book.forget()
    assert await pair.one.remove("a", "s1") is None, "her other session was forgotten, too"
    assert await pair.seconds(2) == []
    assert await pair.one.members("a", 10) == Presence(1, 1, (Member("s3", "ann"),))
    assert await pair.one.members("b", 10) == Presence(1, 1, (BOB,))
    assert await pair.seconds(8) == []


async def test_a_lease_that_has_run_out_is_renewed_before_somebody_enters(pair: Pair) -> None:
    """Else nobody would find that entry, if the node died at once."""
    await pair.one.touch("a", ANN, math.inf)
    for _ in range(12):
        pair.clock.advance(1.0)
        await pair.two.sweep()
    await pair.one.touch("b", ANN, math.inf)
    told = []
    for _ in range(12):
        pair.clock.advance(1.0)
        told += await pair.two.sweep()
    assert Leave("b", ANN) in told
    assert await pair.two.members("b", 10) == Presence(0, 0, ())


async def test_who_comes_back_from_a_backup_is_taken_out_again(pair: Pair) -> None:
    await pair.two.touch("a", ANN, math.inf)
    await pair.seconds(1)
    before = pair.book.copied()
    told: list[Join | Leave] = []
    while not told:
        pair.clock.advance(1.0)
        told = await pair.one.sweep()
    pair.book.pages = before
    pair.one.renew()
    for _ in range(15):
        pair.clock.advance(1.0)
        await pair.one.sweep()
    assert await pair.one.members("a", 10) == Presence(0, 0, ())


async def test_each_entry_is_written_again_now_and_then(pair: Pair) -> None:
    for number in range(1_500):
        await pair.one.touch(f"c{number}", Member(f"s{number}", "ann"), math.inf)
    pair.book.pages.entries.clear()  # but not the leases: nobody notices
    pair.views[0].calls.clear()
    assert await pair.seconds(2 * REFRESH) == []
    for number in range(1_500):
        assert (await pair.two.members(f"c{number}", 10)).sessions == 1
    assert pair.views[0].calls.count("enter") <= 1_600


async def test_channels_that_are_left_are_crossed_out(pair: Pair) -> None:
    for number in range(50):
        await pair.one.touch(f"c{number}", ANN, math.inf)
    for number in range(49):
        await pair.one.remove(f"c{number}", "s1")
    await pair.seconds(1)
    (listed,) = [list(channels) for channels in pair.book.pages.lists.values() if channels]
    assert listed == ["c49"]


async def test_an_error_of_the_store_reaches_nobody(pair: Pair) -> None:
    async def broken(channel: str, owner: object, members: object) -> list[int]:
        raise RuntimeError("no such thing")

    pair.views[0].enter = broken  # type: ignore[method-assign]
    assert await pair.one.touch("a", ANN, math.inf) is True
    assert await pair.one.sweep() == []
    assert not pair.one.converged
