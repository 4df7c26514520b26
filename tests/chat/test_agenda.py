from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest
from tests.chat.later import items, pass_time, quiet, until
from tests.chat.world import World
from tests.waiting import until as until_true

from hubbub.chat import agenda as runner
from hubbub.chat.agenda import Handler, Item, schedule_many
from hubbub.chat.ledger import Ledger
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Action, Logged, Transaction, each
from hubbub.storage.tables import agenda

pytestmark = pytest.mark.anyio


class Notes:
    """Handlers that note down what they are asked."""

    def __init__(self, chat: World, **options: Any) -> None:
        self.chat = chat
        self.prepared: Counter[Any] = Counter()
        self.refused: list[tuple[Any, ErrorCode]] = []
        self.errors: list[Exception] = []
        """To be raised by `run`, one at a time."""
        self.faults: list[Exception] = []
        """The same, by `prepare`."""
        self.gate: asyncio.Event | None = None
        prepare = self.prepare if options.pop("prepared", False) else None
        chat.chat.agenda.handlers["test"] = Handler("test", self.run, prepare, self.refuse, **options)
        self._schedule = each("test", self._put)

    def _put(self, tx: Transaction, what: tuple[Any, float]) -> int:
        return Ledger(tx, self.chat.config).schedule("test", what[1], data=what[0])

    async def put(self, what: Any, after: float) -> int:
        return await self.chat.store.write(self._schedule, (what, self.chat.clock.now() + after))

    def run(self, ledger: Ledger, item: Item, prepared: Any) -> str:
        if self.errors:
            raise self.errors.pop(0)
        what = item.read(object)
        ledger.tx.outbox.append(Logged("conversation:none", 1, "ran", item.data.encode(), None, ledger.now))
        return f"{what} {prepared}"

    @property
    def committed(self) -> list[Logged]:
        """What `run` was called for in transactions that are on disk."""
        return self.chat.chat.heard["conversation:none"]

    @property
    def ran(self) -> Counter[Any]:
        return Counter(msgspec.json.decode(logged.data) for logged in self.committed)

    @property
    def times(self) -> dict[Any, float]:
        return {msgspec.json.decode(logged.data): logged.time for logged in self.committed}

    async def prepare(self, chat: Any, item: Item) -> str:
        what = item.read(object)
        self.prepared[what] += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.faults:
            raise self.faults.pop(0)
        return f"{what}!"

    def refuse(self, ledger: Ledger, item: Item, error: HubbubError) -> None:
        self.refused.append((item.read(object), error.code))


async def test_each_is_done_once_and_not_before_its_time(chat: World) -> None:
    notes, begun = Notes(chat), chat.clock.now()
    for place in range(300):
        await notes.put(place, (place * 37) % 100)
    await pass_time(chat, 120.0, step=7.0)
    assert notes.ran == Counter(range(300))
    for place, time in notes.times.items():
        assert begun + (place * 37) % 100 <= time <= begun + (place * 37) % 100 + 8.0
    assert await items(chat) == []
    assert chat.metrics.agenda["test", "done"] == 300
    assert sum(chat.metrics.agenda_lag_seconds.counts) == 300


async def test_what_is_due_at_once_needs_no_time(chat: World) -> None:
    notes = Notes(chat)
    await notes.put("now", 0.0)
    await notes.put("before", -1e6)
    await quiet(chat)
    assert notes.ran == {"now": 1, "before": 1}


async def test_what_was_due_while_no_server_ran_is_done_by_the_next(database: str) -> None:
    async with World(database) as first:
        notes = Notes(first)
        for place in range(3):
            await notes.put(place, 100.0)
    assert not notes.ran
    second = World(database)
    notes = Notes(second)
    second.clock.advance(1_000.0)
    async with second:
        await quiet(second)
        assert notes.ran == Counter(range(3))
        assert second.metrics.agenda_lag_seconds.counts[-1] == 3


async def test_a_clock_that_is_set_forward_is_followed(chat: World) -> None:
    notes = Notes(chat)
    await notes.put("day", 86_400.0)
    await pass_time(chat, 60.0)
    chat.clock.step_wall(90_000.0)
    await until(chat, lambda: notes.ran)
    assert notes.ran == {"day": 1}


async def test_a_clock_that_is_set_back_has_nothing_done_twice(chat: World) -> None:
    notes = Notes(chat)
    await notes.put("a", 10.0)
    await notes.put("b", 20.0)
    await pass_time(chat, 15.0, step=5.0)
    chat.clock.step_wall(-3_600.0)
    await pass_time(chat, 60.0, step=5.0)
    assert notes.ran == {"a": 1}
    await pass_time(chat, 3_600.0)
    assert notes.ran == {"a": 1, "b": 1}


async def test_a_temporary_error_has_it_tried_again_later_and_later(chat: World) -> None:
    notes = Notes(chat)
    notes.errors = [
        HubbubError(ErrorCode.SLOW_MODE, retry_after=7.0),
        *(HubbubError(ErrorCode.TIMEOUT) for _ in range(4)),
    ]
    await notes.put("x", 0.0)
    begun = chat.clock.now()
    await until(chat, lambda: notes.ran)
    assert (notes.ran, notes.refused, notes.errors) == ({"x": 1}, [], [])
    assert 7 + 2 + 4 + 8 + 16 <= notes.times["x"] - begun < 60
    assert chat.metrics.agenda["test", "put off"] == 5


async def test_patience_ends(chat: World) -> None:
    notes = Notes(chat, patience=100.0)
    notes.errors = [HubbubError(ErrorCode.SLOW_MODE) for _ in range(100)]
    await notes.put("x", 0.0)
    await until(chat, lambda: notes.refused)
    await quiet(chat)
    assert notes.refused == [("x", ErrorCode.SLOW_MODE)]
    assert (await items(chat), notes.ran) == ([], {})


async def test_a_refusal_is_told_once(chat: World) -> None:
    notes = Notes(chat)
    notes.errors = [HubbubError(ErrorCode.NOT_FOUND)]
    await notes.put("x", 0.0)
    await notes.put("y", 5.0)
    await pass_time(chat, 5.0, step=1.0)
    assert (notes.refused, notes.ran) == ([("x", ErrorCode.NOT_FOUND)], {"y": 1})
    assert chat.metrics.agenda["test", "refused"] == 1
    assert await items(chat) == []


async def test_one_that_fails_leaves_nothing_behind_and_holds_up_nobody(chat: World) -> None:
    notes = Notes(chat)

    def half(ledger: Ledger, item: Item, prepared: None) -> None:
        ledger.schedule("half done", ledger.now + 1e6)
        raise ValueError("bug")

    chat.chat.agenda.handlers["half"] = Handler("half", half)
    schedule: Action[float, int] = each("half", lambda tx, due: Ledger(tx, chat.config).schedule("half", due))
    for place in range(50):
        await notes.put(place, 10.0)
        await chat.store.write(schedule, chat.clock.now() + 10.0)
    await until(chat, lambda: len(notes.ran) == 50)
    await until_true(lambda: chat.metrics.agenda["half", "put off"] >= 50)
    assert notes.ran == Counter(range(50))
    assert len(await items(chat, "half")) == 50
    assert await items(chat, "half done") == []


async def test_unknown_kinds_wait_for_a_node_that_knows_them(chat: World) -> None:
    notes = Notes(chat)
    handler = chat.chat.agenda.handlers.pop("test")
    await notes.put("x", 0.0)
    chat.clock.advance(60.0)
    await chat.settle()
    assert [item.attempts for item in await items(chat)] == [0]
    chat.chat.agenda.handlers["test"] = handler
    await until(chat, lambda: notes.ran)


async def test_many_are_scheduled_at_once(chat: World) -> None:
    notes = Notes(chat)

    def put(tx: Transaction, given: Any) -> list[None]:
        schedule_many(tx, "test", [(tx.now + 5.0, "c", seq) for seq in range(500)])
        schedule_many(tx, "test", [])
        return [None]

    action: Action[None, None] = Action("put", put)
    await chat.store.write(action, None)
    assert {item.message for item in await items(chat)} == set(range(500))
    await pass_time(chat, 6.0, step=1.0)
    assert notes.ran == {None: 500}


# --- what is prepared ---------------------------------------------------------------------------------------------


async def test_what_was_prepared_is_given_to_run(chat: World) -> None:
    notes = Notes(chat, prepared=True)
    id = await notes.put("x", 1000.0)
    (item,) = await items(chat)
    assert item.id == id
    done = await chat.chat.agenda.do(item, chat.chat.agenda.handlers["test"])
    assert done is not None
    assert (done.result, notes.ran) == ("x x!", {"x": 1})
    assert await chat.chat.agenda.do(item, chat.chat.agenda.handlers["test"]) is None, "it was done"
    assert notes.ran == {"x": 1}


async def test_what_fails_to_be_prepared_is_prepared_again(chat: World) -> None:
    notes = Notes(chat, prepared=True)
    notes.faults = [
        ValueError("bug"),
        HubbubError(ErrorCode.TIMEOUT),
        HubbubError(ErrorCode.STORE_UNAVAILABLE),
    ]
    await notes.put("x", 0.0)
    await until(chat, lambda: notes.ran)
    assert (notes.ran, notes.prepared, notes.refused) == ({"x": 1}, {"x": 4}, [])


async def test_what_is_changed_while_it_is_prepared_is_not_done_as_it_was(chat: World) -> None:
    notes = Notes(chat, prepared=True)
    notes.gate = asyncio.Event()
    await notes.put("old", 0.0)
    await until_true(lambda: notes.prepared)
    (item,) = await items(chat)
    change = agenda.update().values(data='"new"', next=item.due)
    await chat.store.write(each("change", lambda tx, _: tx.execute(change).rowcount), None)
    notes.gate.set()
    await until(chat, lambda: notes.ran)
    assert notes.ran == {"new": 1}


async def test_who_stops_while_it_prepares_gives_it_back(database: str) -> None:
    async with World(database) as first:
        notes = Notes(first, prepared=True)
        notes.gate = asyncio.Event()
        await notes.put("x", 0.0)
        await until_true(lambda: notes.prepared)
        assert (await items(first))[0].next > first.clock.now(), "it is claimed"
    second = World(database)
    other = Notes(second, prepared=True)
    async with second:
        await until_true(lambda: other.ran)  # at once, without a lease running out
    assert (notes.ran, other.ran) == ({}, {"x": 1})


async def test_a_lease_that_runs_out_lets_another_try_and_one_does_it(chat: World) -> None:
    notes = Notes(chat, prepared=True, lease=30.0)
    notes.gate = asyncio.Event()
    await notes.put("x", 0.0)
    await until_true(lambda: notes.prepared)
    (item,) = await items(chat)
    late = chat.clock.now() + 31.0
    assert item.next < late
    # As another node does that finds the lease run out:
    taken = await chat.store.write(runner.PUT_OFF, runner._PutOff(item, late + 30.0, item.attempts + 1))
    assert taken is not None
    doing = runner._Doing(chat.config, chat.chat.agenda.handlers["test"], taken, "theirs")
    assert await chat.store.write(runner.DO, doing) is not None
    notes.gate.set()
    await until_true(lambda: chat.chat.agenda.resting)
    assert notes.ran == {"x": 1}
