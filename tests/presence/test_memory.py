from __future__ import annotations

import random

import pytest

from hubbub.model import Leave, Member, Presence
from hubbub.presence.base import PresenceStore
from hubbub.presence.memory import MemoryPresence
from hubbub.testing import FakeClock
from hubbub.testing.contracts import PresenceContract

pytestmark = pytest.mark.anyio


class TestContract(PresenceContract):
    clock: FakeClock

    async def open(self) -> PresenceStore:
        self.clock = FakeClock()
        return MemoryPresence(self.clock)

    async def elapse(self, seconds: float) -> None:
        self.clock.advance(seconds)


def is_empty(store: MemoryPresence) -> bool:
    return not any(vars(store)[name] for name in ("_rolls", "_due"))


async def test_a_lease_ends_exactly_at_its_deadline() -> None:
    clock = FakeClock()
    store, ann = MemoryPresence(clock), Member("s1", "ann")
    await store.touch("a", ann, 5.25)
    clock.advance(5.0)
    assert await store.sweep() == []
    clock.advance(0.25)
    assert await store.sweep() == [Leave("a", ann)]
    assert is_empty(store)


async def test_present_until_swept_so_that_counts_agree_with_leaves() -> None:
    clock = FakeClock()
    store, ann = MemoryPresence(clock), Member("s1", "ann")
    await store.touch("a", ann, 5.0)
    clock.advance(10.0)
    assert await store.members("a", 10) == Presence(1, 1, (ann,))
    assert await store.touch("a", ann, 5.0) is False
    assert await store.sweep() == []


async def test_wall_clock_steps_end_no_lease() -> None:
    clock = FakeClock()
    store = MemoryPresence(clock)
    await store.touch("a", Member("s1", "ann"), 5.0)
    clock.step_wall(86_400.0)
    assert await store.sweep() == []


async def test_a_session_that_changes_its_user_is_counted_once() -> None:
    store = MemoryPresence(FakeClock())
    await store.touch("a", Member("s1", "ann"), 5.0)
    assert await store.touch("a", Member("s1", "bob"), 5.0) is True
    assert await store.members("a", 10) == Presence(1, 1, (Member("s1", "bob"),))
    assert await store.remove("a", "s1") == Member("s1", "bob")
    assert is_empty(store)


async def test_churn_tells_as_many_leaves_as_joins_and_leaves_nothing_behind() -> None:
    clock, rng = FakeClock(), random.Random(7)
    store, present = MemoryPresence(clock), dict[tuple[str, str], int]()

    def count(channel: str, user: str, step: int) -> None:
        present[channel, user] = present.get((channel, user), 0) + step
        assert present[channel, user] in (0, 1), "a join or leave was told twice"

    for _ in range(20_000):
        channel, number = f"c{rng.randrange(5)}", rng.randrange(40)
        member = Member(f"s{number}", f"u{number // 3}")
        match rng.randrange(8):
            case 0 | 1 | 2 | 3:
                if await store.touch(channel, member, rng.choice((0.5, 1.0, 5.0, 30.0))):
                    count(channel, member.user, 1)
            case 4 | 5 | 6:
                if (left := await store.remove(channel, member.session)) is not None:
                    count(channel, left.user, -1)
            case _:
                clock.advance(rng.random() * 3)
                for push in await store.sweep():
                    count(push.channel, push.member.user, -1)
    assert any(present.values())
    clock.advance(31.0)
    for push in await store.sweep():
        count(push.channel, push.member.user, -1)
    assert not any(present.values())
    assert is_empty(store)
