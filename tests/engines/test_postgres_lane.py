from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from tests.engines import postgres_wire
from tests.waiting import until

from hubbub.engines import postgres_lane
from hubbub.engines.postgres_lane import Lane, reason, refusal
from hubbub.errors import ErrorCode, HubbubError
from hubbub.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio


class Refusal(Exception):
    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


class Wire(postgres_wire.Wire):
    """A connection that answers, unless it hangs or is closed."""

    asked = 0

    async def execute(self, query: str) -> None:
        self.asked += 1


class World:
    """A lane whose jobs are numbers, answered by their doubles."""

    def __init__(self, most: int = 10, connections: int = 1) -> None:
        self.wires: list[Wire] = []
        self.batches: list[list[int]] = []
        self.refuse = 0
        self.hold: asyncio.Event | None = None
        self.faults: list[Exception] = []
        self.changes = 0
        self.metrics = Metrics()
        self.lane: Lane[int, int] = Lane(
            self.connect,
            self.run,
            self.changed,
            self.metrics,
            timeout=0.1,
            most=most,
            connections=connections,
        )
        self.lane.start()

    def changed(self) -> None:
        self.changes += 1

    async def connect(self) -> Wire:
        await asyncio.sleep(0)
        if self.refuse:
            self.refuse -= 1
            raise ConnectionRefusedError("by the test")
        self.wires.append(Wire())
        return self.wires[-1]

    async def run(self, wire: Any, jobs: list[int]) -> Sequence[int | Exception]:
        self.batches.append(jobs)
        if self.hold is not None:
            await self.hold.wait()
        if self.faults:
            raise self.faults.pop(0)
        if -1 in jobs:
            raise Refusal("22000")
        return [ValueError("odd") if job == 13 else 2 * job for job in jobs]


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_lane, "BACKOFF", (0.001, 0.002))


async def code(future: asyncio.Future[int]) -> ErrorCode:
    with pytest.raises(HubbubError) as caught:
        await future
    return caught.value.code


async def test_what_waits_goes_together_in_order() -> None:
    world = World(most=3)
    assert await asyncio.gather(*(world.lane.submit(number) for number in range(7))) == [
        2 * number for number in range(7)
    ]
    assert world.batches == [[0, 1, 2], [3, 4, 5], [6]]
    await world.lane.stop()


async def test_each_has_its_own_result_or_exception() -> None:
    world = World()
    done = await asyncio.gather(*(world.lane.submit(number) for number in (1, 13, 2)), return_exceptions=True)
    assert (done[0], type(done[1]), done[2]) == (2, ValueError, 4)
    await world.lane.stop()


async def test_of_many_only_the_one_to_blame_suffers() -> None:
    world = World()
    good, bad, other = (world.lane.submit(number) for number in (1, -1, 2))
    assert await good == 2
    assert await code(bad) is ErrorCode.BROKER_UNAVAILABLE
    assert await other == 4
    assert world.batches == [[1, -1, 2], [1], [-1], [2]]
    assert len(world.wires) == 1
    assert world.metrics.engine_errors["postgresql", "sqlstate 22000"] == 2
    await world.lane.stop()


async def test_a_deadlock_is_tried_again() -> None:
    world = World()
    world.faults = [Refusal("40P01"), Refusal("40001")]
    assert await world.lane.submit(1) == 2
    assert len(world.batches) == 3
    await world.lane.stop()


@pytest.mark.parametrize(
    "fault", [ConnectionResetError(), Refusal("57P01"), Refusal("25006"), Refusal("53100")]
)
async def test_what_the_server_could_not_do_is_told_and_the_connection_made_again(fault: Exception) -> None:
    world = World()
    world.faults = [fault]
    assert await code(world.lane.submit(1)) is ErrorCode.BROKER_UNAVAILABLE
    await until(lambda: len(world.wires) == 2 and world.lane.whole)
    assert world.wires[0].closed
    assert await world.lane.submit(2) == 4
    await world.lane.stop()


async def test_what_takes_too_long_has_its_connection_cut() -> None:
    world = World()
    world.hold = asyncio.Event()
    assert await code(world.lane.submit(1)) is ErrorCode.BROKER_UNAVAILABLE
    assert world.wires[0].closed
    world.hold = None
    await until(lambda: world.lane.whole)
    assert await world.lane.submit(2) == 4
    await world.lane.stop()


async def test_without_a_server_it_fails_at_once_until_there_is_one() -> None:
    world = World()
    await until(lambda: world.lane.whole)
    world.refuse = 5
    world.wires[0].lose()
    waiting = world.lane.submit(1)  # not known yet that it is gone
    assert await code(waiting) is ErrorCode.BROKER_UNAVAILABLE
    assert world.lane.cut_off
    with pytest.raises(HubbubError):
        world.lane.submit(2)
    await until(lambda: world.lane.whole)
    assert not world.lane.cut_off
    assert await world.lane.submit(3) == 6
    assert world.metrics.engine_reconnects["postgresql"] == 6
    await world.lane.stop()


async def test_a_caller_that_goes_away_is_passed_over() -> None:
    world = World()
    await until(lambda: world.lane.whole)
    world.hold = asyncio.Event()
    first = world.lane.submit(1)
    await until(lambda: world.batches)
    gone, other = world.lane.submit(2), world.lane.submit(3)
    first.cancel()
    gone.cancel()
    world.hold.set()
    assert await other == 6
    assert world.batches == [[1], [3]]
    await world.lane.stop()


async def test_several_connections_work_side_by_side() -> None:
    world = World(most=1, connections=2)
    await until(lambda: world.lane.whole)
    world.hold = asyncio.Event()
    futures = [world.lane.submit(number) for number in range(4)]
    await until(lambda: len(world.batches) == 2)
    assert not world.lane.cut_off
    world.hold.set()
    assert await asyncio.gather(*futures) == [0, 2, 4, 6]
    await world.lane.stop()


async def test_a_silent_connection_is_asked_whether_it_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_lane, "IDLE", 0.001)
    world = World()
    await until(lambda: world.wires and world.wires[0].asked > 2)
    assert await world.lane.submit(1) == 2
    await world.lane.stop()


async def test_what_waits_is_done_before_it_stops() -> None:
    world = World(most=1)
    futures = [world.lane.submit(number) for number in range(5)]
    await until(lambda: world.lane.whole)
    await world.lane.stop()
    assert [future.result() for future in futures] == [0, 2, 4, 6, 8]
    with pytest.raises(HubbubError):
        world.lane.submit(1)
    world.refuse = 1_000_000
    world.lane.start()
    future = world.lane.submit(1)
    await until(future.done)
    await world.lane.stop()


def test_what_an_error_says() -> None:
    assert refusal(Refusal("42703"))
    assert not refusal(Refusal("57P03"))
    assert not refusal(OSError())
    assert [reason(error) for error in (TimeoutError(), OSError(), Refusal("57P01"), ValueError())] == [
        "timeout",
        "connection",
        "sqlstate 57P01",
        "ValueError",
    ]
