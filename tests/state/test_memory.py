from __future__ import annotations

import pytest

from hubbub.state.base import NodeInfo, State
from hubbub.state.memory import ROOM, MemoryState
from hubbub.testing import FakeClock
from hubbub.testing.contracts import StateContract

pytestmark = pytest.mark.anyio


class TestContract(StateContract):
    """The nodes are in one process, and share the object."""

    @pytest.fixture(autouse=True)
    def made(self) -> None:
        self.clock = FakeClock()
        self.shared = MemoryState(self.clock)

    async def open(self) -> State:
        return self.shared

    async def elapse(self, seconds: float) -> None:
        self.clock.advance(seconds)


async def test_a_value_ends_exactly_at_its_ttl() -> None:
    clock = FakeClock()
    state = MemoryState(clock)
    await state.put("a", b"1", 5.25)
    clock.advance(5.0)
    assert await state.get("a") == b"1"
    clock.advance(0.25)
    assert await state.get("a") is None


async def test_a_bucket_says_exactly_how_long_to_wait() -> None:
    clock = FakeClock()
    state = MemoryState(clock)
    assert [await state.spend("a", 4.0, 3) for _ in range(4)] == [0.0, 0.0, 0.0, 0.25]
    clock.advance(0.1)
    assert await state.spend("a", 4.0, 3) == pytest.approx(0.15)
    clock.advance(0.15)
    assert await state.spend("a", 4.0, 3) == 0.0


async def test_wall_clock_steps_end_nothing() -> None:
    clock = FakeClock()
    state = MemoryState(clock)
    await state.put("a", b"1", 5.0)
    await state.beat(NodeInfo("n"), 5.0)
    clock.step_wall(86_400.0)
    assert await state.get("a") == b"1"
    assert await state.beat(NodeInfo("n"), 5.0) is True


async def test_a_lease_ends_exactly_when_it_does() -> None:
    clock = FakeClock()
    state = MemoryState(clock)
    await state.beat(NodeInfo("n"), 4.0)
    clock.advance(4.0)
    assert await state.nodes() == []
    assert await state.beat(NodeInfo("n"), 4.0) is False
    await state.retire("n")
    assert await state.beat(NodeInfo("n"), 4.0) is True


async def test_what_has_ended_takes_no_memory_for_long() -> None:
    clock = FakeClock()
    state = MemoryState(clock)
    for number in range(20 * ROOM):
        await state.put(f"v{number}", b"x", 1.0)
        await state.spend(f"b{number}", 1.0, 5)
        clock.advance(0.01)
        assert len(state) <= 2 * ROOM


async def test_what_lives_is_kept_however_much_it_is() -> None:
    state = MemoryState(FakeClock())
    for number in range(4 * ROOM):
        await state.put(str(number), b"x", 1.0)
    assert len(state) == 4 * ROOM
    assert await state.get("0") == b"x"
