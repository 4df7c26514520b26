from __future__ import annotations

import asyncio

import pytest
from tests.hub.world import settle

from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.idempotency import LARGEST, POLL, Results
from hubbub.state.memory import MemoryState
from hubbub.testing import FakeClock

pytestmark = pytest.mark.anyio


class Work:
    def __init__(self) -> None:
        self.runs = 0
        self.gate: asyncio.Event | None = None
        self.error: Exception | None = None

    async def __call__(self) -> bytes:
        self.runs += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return b"%d" % self.runs


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_the_same_key_and_body_get_the_first_result(clock: FakeClock) -> None:
    results, work = Results(clock, 10, 5), Work()
    assert [await results.once("k", b"body", work) for _ in range(3)] == [b"1"] * 3
    assert work.runs == 1


async def test_another_body_is_a_conflict_also_while_the_first_runs(clock: FakeClock) -> None:
    results, work = Results(clock, 10, 5), Work()
    work.gate = asyncio.Event()
    first = asyncio.ensure_future(results.once("k", b"body", work))
    await settle()
    with pytest.raises(HubbubError) as failure:
        await results.once("k", b"other", work)
    assert failure.value.code == ErrorCode.IDEMPOTENCY_CONFLICT
    work.gate.set()
    assert await first == b"1"


async def test_a_hundred_twins_run_once(clock: FakeClock) -> None:
    results, work = Results(clock, 10, 5), Work()
    work.gate = asyncio.Event()
    twins = [asyncio.ensure_future(results.once("k", b"", work)) for _ in range(100)]
    await settle()
    work.gate.set()
    assert await asyncio.gather(*twins) == [b"1"] * 100


async def test_a_twin_that_gives_up_does_not_stop_the_first(clock: FakeClock) -> None:
    results, work = Results(clock, 10, 5), Work()
    work.gate = asyncio.Event()
    first = asyncio.ensure_future(results.once("k", b"", work))
    twin = asyncio.ensure_future(results.once("k", b"", work))
    await settle()
    twin.cancel()
    await settle()
    work.gate.set()
    assert await first == b"1"
    assert await results.once("k", b"", work) == b"1"


async def test_a_failure_is_told_to_all_twins_and_not_kept(clock: FakeClock) -> None:
    results, work = Results(clock, 10, 5), Work()
    work.gate, work.error = asyncio.Event(), HubbubError(ErrorCode.NOT_FOUND)
    twins = [asyncio.ensure_future(results.once("k", b"", work)) for _ in range(2)]
    await settle()
    work.gate.set()
    for twin in twins:
        with pytest.raises(HubbubError):
            await twin
    work.error = None
    assert await results.once("k", b"", work) == b"2"


async def test_a_first_that_is_cancelled_leaves_the_twins_an_error(clock: FakeClock) -> None:
    results, work = Results(clock, 10, 5), Work()
    work.gate = asyncio.Event()
    first = asyncio.ensure_future(results.once("k", b"", work))
    await settle()
    twin = asyncio.ensure_future(results.once("k", b"", work))
    await settle()
    first.cancel()
    with pytest.raises(HubbubError) as failure:
        await twin
    assert failure.value.code == ErrorCode.TIMEOUT


@pytest.mark.parametrize(("after", "runs"), [(9.9, 1), (10.0, 2)])
async def test_results_are_kept_for_their_time(clock: FakeClock, after: float, runs: int) -> None:
    results, work = Results(clock, 10, 5), Work()
    await results.once("k", b"", work)
    clock.advance(after)
    await results.once("k", b"", work)
    assert work.runs == runs


async def test_no_more_results_are_kept_than_the_size(clock: FakeClock) -> None:
    results, work = Results(clock, 10, 3), Work()
    for number in range(10):
        await results.once(f"k{number}", b"", work)
    assert len(results._entries) == 3
    assert await results.once("k9", b"", work) == b"10"
    assert await results.once("k6", b"", work) == b"11"


async def test_a_failed_call_whose_place_was_taken_does_not_forget_its_successor(clock: FakeClock) -> None:
    results, failing, other = Results(clock, 10, 1), Work(), Work()
    failing.gate, failing.error = asyncio.Event(), ValueError()
    first = asyncio.ensure_future(results.once("k", b"", failing))
    await settle()
    await results.once("filler", b"", Work())  # pushes "k" out
    assert await results.once("k", b"", other) == b"1"
    failing.gate.set()
    with pytest.raises(ValueError):
        await first
    assert await results.once("k", b"", other) == b"1"
    assert other.runs == 1


# --- on several nodes -------------------------------------------------------------------------------------


class Away(MemoryState):
    """State that does not answer."""

    async def put(self, key: str, value: bytes, ttl: float, *, fresh: bool = False) -> bool:
        raise HubbubError(ErrorCode.BROKER_UNAVAILABLE)

    async def swap(self, key: str, old: bytes | None, new: bytes, ttl: float) -> bool:
        raise HubbubError(ErrorCode.BROKER_UNAVAILABLE)


def nodes(clock: FakeClock, state: MemoryState, count: int = 2) -> list[Results]:
    made = [Results(clock, 60, 5, longest=30.0) for _ in range(count)]
    for each in made:
        each.state = state
    return made


async def test_another_node_gives_the_first_result(clock: FakeClock) -> None:
    one, other = nodes(clock, MemoryState(clock))
    work = Work()
    assert await one.once("k", b"body", work) == b"1"
    assert await other.once("k", b"body", work) == b"1"
    assert work.runs == 1
    with pytest.raises(HubbubError) as failure:
        await nodes(clock, one.state or MemoryState(clock))[0].once("k", b"other", work)  # type: ignore[arg-type]
    assert failure.value.code == ErrorCode.IDEMPOTENCY_CONFLICT


async def test_another_node_waits_for_the_one_that_is_at_it(clock: FakeClock) -> None:
    one, other = nodes(clock, MemoryState(clock))
    work = Work()
    work.gate = asyncio.Event()
    first = asyncio.ensure_future(one.once("k", b"", work))
    await settle()
    second = asyncio.ensure_future(other.once("k", b"", work))
    for _ in range(5):
        clock.advance(POLL)
        await settle()
    assert not second.done()
    work.gate.set()
    await settle()
    clock.advance(POLL)
    assert (await first, await second) == (b"1", b"1")


async def test_a_failure_on_one_node_lets_another_try(clock: FakeClock) -> None:
    one, other = nodes(clock, MemoryState(clock))
    work = Work()
    work.error = HubbubError(ErrorCode.CONFLICT)
    with pytest.raises(HubbubError):
        await one.once("k", b"", work)
    work.error = None
    assert await other.once("k", b"", work) == b"2"


async def test_what_a_dead_node_had_begun_is_done_by_another(clock: FakeClock) -> None:
    state = MemoryState(clock)
    one, other = nodes(clock, state)
    dying, work = Work(), Work()
    dying.gate = asyncio.Event()
    begun = asyncio.ensure_future(one.once("k", b"", dying))
    await settle()
    second = asyncio.ensure_future(other.once("k", b"", work))
    while not second.done():
        clock.advance(1.0)
        await settle()
    assert (second.result(), work.runs) == (b"1", 1)
    begun.cancel()
    await asyncio.wait([begun])
    assert await nodes(clock, state)[0].once("k", b"", Work()) == b"1"  # the dead one has not taken it away


async def test_a_result_that_is_too_large_is_not_made_twice(clock: FakeClock) -> None:
    one, other = nodes(clock, MemoryState(clock))

    async def large() -> bytes:
        return b"x" * (LARGEST + 1)

    async def largest() -> bytes:
        return b"x" * LARGEST

    await one.once("k", b"", large)
    with pytest.raises(HubbubError) as failure:
        await other.once("k", b"", large)
    assert failure.value.code == ErrorCode.NOT_AVAILABLE
    await one.once("l", b"", largest)
    assert len(await other.once("l", b"", large)) == LARGEST


async def test_nothing_is_run_while_it_is_not_known_whether_it_was(clock: FakeClock) -> None:
    (one,) = nodes(clock, Away(clock), 1)
    work = Work()
    with pytest.raises(HubbubError) as failure:
        await one.once("k", b"", work)
    assert (failure.value.code, work.runs) == (ErrorCode.BROKER_UNAVAILABLE, 0)


async def test_a_result_that_cannot_be_shared_is_given_all_the_same(clock: FakeClock) -> None:
    state = MemoryState(clock)
    (one,) = nodes(clock, state, 1)
    away = Away(clock)

    async def run() -> bytes:
        one.state = away
        state.swap = away.swap  # type: ignore[method-assign]
        return b"done"

    assert await one.once("k", b"", run) == b"done"
