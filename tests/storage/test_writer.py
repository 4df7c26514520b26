from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Action, Logged, Transaction
from hubbub.storage.writer import TransactionFailed, Work, Writer, grouped
from hubbub.telemetry.metrics import Metrics
from hubbub.testing import FakeClock

pytestmark = pytest.mark.anyio

ECHO: Action[Any, Any] = Action("echo", lambda tx, items: list(items))


def _publish(tx: Transaction, items: Sequence[Any]) -> Sequence[Any]:
    tx.outbox.extend(Logged("log", item, "test", b"", None, 0.0) for item in items)
    return items


PUBLISH: Action[Any, Any] = Action("publish", _publish)


class Database:
    """A `transact` that waits until the test says what becomes of each transaction."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, Work, asyncio.Future[Callable[[], None] | None]]] = []
        self.automatic = False
        self.sizes: list[int] = []
        self.arrival = asyncio.Event()

    async def transact(self, connection: int, work: Work) -> None:
        if not self.automatic:
            outcome: asyncio.Future[Callable[[], None] | None] = asyncio.get_running_loop().create_future()
            self.begun.append((connection, work, outcome))
            self.arrival.set()
            after = await outcome
        else:
            after = None
        self.run(work)
        if after is not None:
            after()

    def run(self, work: Work) -> None:
        tx = Transaction(cast(sa.Connection, None), "sqlite", 1, 0.0)
        work(tx)
        self.sizes.append(sum(len(group) for group in cast(Any, work).groups))

    def finish(self, number: int = -1) -> None:
        """It is committed."""
        self.begun.pop(number)[2].set_result(None)

    def fail(self, error: BaseException, number: int = -1) -> None:
        """It ends with `error`, before anything of it has run."""
        self.begun.pop(number)[2].set_exception(error)


class Setting:
    def __init__(self) -> None:
        self.clock, self.database, self.metrics = FakeClock(), Database(), Metrics()
        self.heard: list[int] = []
        self.writers: list[Writer] = []

    def writer(
        self, *, connections: int = 1, batch: int = 10, delay: float = 0.0, limit: int = 1000
    ) -> Writer:
        writer = Writer(
            self.database.transact,
            connections=connections,
            batch=batch,
            delay=delay,
            timeout=5.0,
            limit=limit,
            clock=self.clock,
            metrics=self.metrics,
        )
        writer.start(lambda outbox: self.heard.extend(event.offset for event in outbox))
        self.writers.append(writer)
        return writer

    async def begun(self, count: int = 1) -> None:
        """Wait for that many transactions to be under way."""
        while len(self.database.begun) < count:
            self.database.arrival.clear()
            await self.database.arrival.wait()

    async def finish(self) -> None:
        self.database.automatic = True
        while self.database.begun:
            self.database.finish(0)
        for writer in self.writers:
            await writer.stop()


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    setting = Setting()
    yield setting
    await setting.finish()


def refusal(future: asyncio.Future[Any]) -> tuple[ErrorCode, bool]:
    """The code, and whether the outcome is said to be unknown."""
    error = future.exception()
    assert isinstance(error, HubbubError)
    assert ("unknown" in error.message) is not ("nothing was written" in error.message)
    assert error.retry_after
    return error.code, "unknown" in error.message


async def settled(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures)


async def test_what_comes_while_a_transaction_is_under_way_is_the_next_one(setting: Setting) -> None:
    writer = setting.writer(batch=3)
    first = writer.write(ECHO, 0)
    await setting.begun()
    later = [writer.write(ECHO, n) for n in range(1, 6)]
    assert (writer.pending, setting.metrics.gauges["writes_pending"]()) == (6, 6)
    setting.database.automatic = True
    setting.database.finish()
    assert await asyncio.gather(first, *later) == [0, 1, 2, 3, 4, 5]
    assert setting.database.sizes == [1, 3, 2]
    await asyncio.sleep(0)
    assert (writer.pending, setting.metrics.commits, setting.metrics.writes) == (0, 3, 6)


async def test_what_a_transaction_has_for_when_it_is_settled_is_done_once(setting: Setting) -> None:
    done: list[int] = []
    begun: list[int] = []

    def run(tx: Transaction, items: Sequence[int]) -> Sequence[int]:
        begun.extend(items)
        tx.settled.extend(partial(done.append, item) for item in items)
        if len(items) > 1:
            raise ZeroDivisionError
        return items

    action: Action[int, int] = Action("counted", run)
    writer = setting.writer(batch=2)
    first = writer.write(ECHO, 0)
    await setting.begun()
    later = [writer.write(action, n) for n in (1, 2)]
    lost = writer.write(action, 3)
    setting.database.finish()
    await setting.begun()
    setting.database.finish()
    for _ in (1, 2):
        await setting.begun()
        setting.database.finish()
    await setting.begun()
    setting.database.fail(TransactionFailed("gone", known=False))
    await settled(first, *later, lost)
    assert begun == [1, 2, 1, 2]
    assert done == [1, 2]
    assert refusal(lost) == (ErrorCode.STORE_UNAVAILABLE, True)


async def test_a_lane_stays_in_its_connection_and_lanes_do_not_wait_for_each_other(setting: Setting) -> None:
    writer = setting.writer(connections=4)
    futures = {f"lane{n}": writer.write(ECHO, n, f"lane{n}") for n in range(40)}
    await setting.begun(4)
    assert sorted(connection for connection, _, _ in setting.database.begun) == [0, 1, 2, 3]
    place = next(n for n, (connection, _, _) in enumerate(setting.database.begun) if connection == 2)
    lanes = {entry.lane for group in cast(Any, setting.database.begun[place][1]).groups for entry in group}
    setting.database.finish(place)
    await settled(*[futures[lane] for lane in lanes])
    assert {lane for lane, future in futures.items() if future.done()} == lanes
    again = writer.write(ECHO, "again", next(iter(lanes)))
    await setting.begun(4)
    assert setting.database.begun[-1][0] == 2
    setting.database.finish()
    assert await again == "again"


async def test_a_delay_gathers_more_where_several_write_and_ends_with_a_full_batch(setting: Setting) -> None:
    writer = setting.writer(batch=3, delay=0.01)
    alone = writer.write(ECHO, 0)
    await setting.begun()  # whoever writes alone waits for nobody
    others = [writer.write(ECHO, n) for n in range(2)]
    setting.database.finish()
    assert await alone == 0
    await setting.begun()
    setting.database.finish()
    assert await asyncio.gather(*others) == [0, 1]
    one = writer.write(ECHO, 1)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not setting.database.begun, "more may come"
    two = writer.write(ECHO, 2)
    setting.clock.advance(0.01)
    await setting.begun()
    setting.database.finish()
    assert await asyncio.gather(*[one, two]) == [1, 2]
    three = [writer.write(ECHO, n) for n in range(3)]
    await setting.begun()  # no time has passed
    setting.database.finish()
    await asyncio.gather(*three)
    assert setting.database.sizes == [1, 2, 2, 3]


async def test_a_database_that_refuses_is_not_asked_again_for_each_item(setting: Setting) -> None:
    writer = setting.writer()
    refused = [writer.write(PUBLISH, n) for n in range(5)]
    await setting.begun()
    setting.database.fail(TransactionFailed("full", ErrorCode.STORE_FULL))
    await settled(*refused)
    assert [refusal(future) for future in refused] == [(ErrorCode.STORE_FULL, False)] * 5
    assert (setting.heard, setting.metrics.store_errors["full"]) == ([], 5)
    next_one = writer.write(PUBLISH, 7)
    await setting.begun()
    setting.database.finish()
    assert await next_one == 7
    assert setting.heard == [7]


async def test_a_commit_of_unknown_outcome_is_said_to_be_and_not_repeated(setting: Setting) -> None:
    writer = setting.writer()
    unknown = [writer.write(PUBLISH, n) for n in range(3)]
    await setting.begun()

    def lost() -> None:
        raise TransactionFailed("connection", known=False)

    setting.database.begun.pop()[2].set_result(lost)
    await settled(*unknown)
    assert [refusal(future) for future in unknown] == [(ErrorCode.STORE_UNAVAILABLE, True)] * 3
    for _ in range(5):
        await asyncio.sleep(0)
    assert (setting.database.begun, setting.database.sizes, setting.heard) == ([], [3], [])


async def test_a_database_that_goes_while_items_are_tried_alone_refuses_the_rest(setting: Setting) -> None:
    writer = setting.writer()
    futures = [writer.write(ECHO, n) for n in range(4)]
    await setting.begun()
    setting.database.fail(ValueError("a fault of one of them"))
    await setting.begun()
    setting.database.finish()
    await setting.begun()
    setting.database.fail(TransactionFailed("connection", known=False))
    await settled(*futures)
    assert futures[0].result() == 0
    assert [refusal(future) for future in futures[1:]] == [
        (ErrorCode.STORE_UNAVAILABLE, unknown) for unknown in (True, False, False)
    ]
    assert not setting.database.begun


async def test_what_has_not_begun_in_time_is_taken_back_and_what_has_is_unknown(setting: Setting) -> None:
    writer = setting.writer(batch=2)
    begun = [writer.write(PUBLISH, n) for n in (1, 2)]
    await setting.begun()
    setting.clock.advance(1.0)
    waiting = writer.write(PUBLISH, 3)
    setting.clock.advance(3.9)
    assert not any(future.done() for future in begun)
    setting.clock.advance(0.1)
    assert [refusal(future) for future in begun] == [(ErrorCode.TIMEOUT, True)] * 2
    assert not waiting.done()
    late = writer.write(PUBLISH, 4)
    setting.clock.advance(1.0)
    assert refusal(waiting) == (ErrorCode.TIMEOUT, False)
    assert not late.done()
    assert writer.pending == 3  # what is under way still counts
    # It is committed after all: that is told, and what was taken back is not written.
    setting.database.automatic = True
    setting.database.finish()
    assert await late == 4
    assert setting.heard == [1, 2, 4]
    assert setting.metrics.store_errors["timeout"] == 3


async def test_each_gets_an_error_of_its_own(setting: Setting) -> None:
    writer = setting.writer()
    refused = [writer.write(ECHO, n) for n in range(2)]
    await setting.begun()
    setting.database.fail(TransactionFailed("gone"))
    await settled(*refused)
    assert refused[0].exception() is not refused[1].exception()


async def test_an_action_that_is_run_again_publishes_once(setting: Setting) -> None:
    writer = setting.writer()
    future = writer.write(PUBLISH, 1)
    await setting.begun()
    setting.database.run(setting.database.begun[0][1])  # a deadlock, rolled back
    setting.database.finish()
    assert await future == 1
    await setting.finish()
    assert (setting.heard, setting.database.sizes) == ([1], [1, 1])


async def test_before_the_start_nothing_is_taken() -> None:
    setting = Setting()
    writer = setting.writer()
    await writer.stop()
    with pytest.raises(HubbubError) as refused:
        writer.write(ECHO, 1)
    assert refused.value.code is ErrorCode.DRAINING


ACTIONS: list[Action[Any, Any]] = [Action(f"action{n}", lambda tx, items: items) for n in range(3)]


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["", "a", "b", "c"]))))
def test_groups_keep_the_order_of_each_lane_and_of_each_action(drawn: list[tuple[int, str]]) -> None:
    entries: Any = [SimpleNamespace(action=ACTIONS[n], lane=lane) for n, lane in drawn]
    groups = grouped(entries)
    flat = [entry for group in groups for entry in group]
    assert sorted(map(id, flat)) == sorted(map(id, entries))
    for group in groups:
        assert len({entry.action.name for entry in group}) == 1
    for lane in ("", "a", "b", "c"):
        assert [e for e in flat if e.lane == lane] == [e for e in entries if e.lane == lane]
    if len({lane for _, lane in drawn}) == len(drawn) or len({n for n, _ in drawn}) == 1:
        assert len(groups) == len({n for n, _ in drawn})
