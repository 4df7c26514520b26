"""Group commit: what waits is written in one transaction, and answered when that is durable. The same for both stores.

Everything here is in the event loop. A store gives `transact`, which runs a `Work` in one transaction on one of its
writing connections, in whatever thread or greenlet that needs.
"""

from __future__ import annotations

import asyncio
import os
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar
from zlib import crc32

import sqlalchemy as sa

from hubbub.clock import Clock, Timer
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Action, Logged, Transaction
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

T = TypeVar("T")
R = TypeVar("R")
Committed = Callable[[Sequence[Logged]], object]
log = get_logger("hubbub.storage")

LOCK = "SELECT FROM conversations WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE"
RETRY_AFTER = 1.0
"""Seconds after which somebody whom the database refused is told to try again."""
UNKNOWN = "it is unknown whether this was written: repeat it with the same idempotency key"
UNWRITTEN = "nothing was written"


class TransactionFailed(Exception):
    """The database did not take a transaction, and not for what was in it.

    `known`: nothing of it is written, and never will be. Otherwise the commit may have happened or may yet. `reason`
    is for metrics and the log.
    """

    def __init__(
        self, reason: str, code: ErrorCode = ErrorCode.STORE_UNAVAILABLE, *, known: bool = True
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.known = known

    def error(self) -> HubbubError:
        """What to answer: a new one for everybody, as each gets a traceback of its own."""
        text = {
            ErrorCode.STORE_FULL: "the database has no room left",
            ErrorCode.TIMEOUT: "the database did not answer in time",
        }.get(self.code, "the database does not answer")
        outcome = UNWRITTEN if self.known else UNKNOWN
        return HubbubError(self.code, f"{text}; {outcome}", retry_after=RETRY_AFTER)


class Work(Protocol):
    """What one transaction does. May be called again, with a new Transaction, if the one before was rolled back."""

    def __call__(self, tx: Transaction, /) -> None: ...


Transact = Callable[[int, Work], Awaitable[None]]
"""Begin a transaction on the writing connection of that number, run the work in it, commit. What the work raises for
reasons of its own is raised after a rollback; TransactionFailed is raised for all else."""


class _Entry:
    __slots__ = ("action", "deadline", "future", "item", "lane")

    def __init__(
        self, action: Action[Any, Any], item: Any, lane: str, future: asyncio.Future[Any], deadline: float
    ) -> None:
        self.action = action
        self.item = item
        self.lane = lane
        self.future = future
        self.deadline = deadline

    def refuse(self, error: HubbubError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Batch:
    """Entries as the work of one transaction."""

    __slots__ = ("groups", "outbox", "outcomes", "settled")

    def __init__(self, entries: Sequence[_Entry]) -> None:
        self.groups = grouped(entries)
        self.outbox: list[Logged] = []
        self.outcomes: list[Sequence[Any]] = []
        self.settled: Sequence[Callable[[], object]] = ()

    def __call__(self, tx: Transaction) -> None:
        self.outcomes = []
        lock_in_order(tx, self.groups)
        for entries in self.groups:
            action = entries[0].action
            outcomes = action.run(tx, [entry.item for entry in entries])
            if len(outcomes) != len(entries):
                raise RuntimeError(f"{action.name}: {len(outcomes)} outcomes for {len(entries)} items")
            self.outcomes.append(outcomes)
        if tx.ending is not None:
            tx.ending(tx)
        self.outbox, self.settled = tx.outbox, tx.settled

    def answer(self) -> None:
        for settled in self.settled:
            settled()
        for entries, outcomes in zip(self.groups, self.outcomes, strict=True):
            for entry, outcome in zip(entries, outcomes, strict=True):
                if entry.future.done():  # cancelled, or timed out: written all the same
                    continue
                if isinstance(outcome, HubbubError):
                    entry.future.set_exception(outcome)
                else:
                    entry.future.set_result(outcome)


def lock_in_order(tx: Transaction, groups: Sequence[Sequence[_Entry]]) -> None:
    """Lock all conversations of a transaction before any is worked on, in the order of their ids: other nodes' lock
    theirs so, too, and no two wait for each other. (SQLite has one writer. One action locks in order by itself.)"""
    if tx.dialect == "sqlite" or len(groups) < 2:
        return
    wanted: set[str] = set()
    for entries in groups:
        for entry in entries:
            wanted.add(entry.lane)
            if entry.action.touches is not None:
                wanted.update(entry.action.touches(entry.item))
    wanted.discard("")
    if len(wanted) > 1:
        tx.connection.exec_driver_sql(LOCK, (sorted(wanted),))


def grouped(entries: Sequence[_Entry]) -> list[list[_Entry]]:
    """Entries by action, each in one group if that keeps the order of every lane, and else in as few as it takes."""
    groups: list[list[_Entry]] = []
    of_action: dict[int, int] = {}  # the latest group of each
    of_lane: dict[str, int] = {}
    for entry in entries:
        place = of_action.get(id(entry.action), -1)
        if place < of_lane.get(entry.lane, 0):
            place = of_action[id(entry.action)] = len(groups)
            groups.append([])
        groups[place].append(entry)
        of_lane[entry.lane] = place
    return groups


class Writer:
    """Writes in `connections` lines, each of which has one transaction under way at most. A lane stays in its line.

    A write is answered within `timeout` seconds: what has not begun by then is taken back, and what has is said to be
    unknown, for it may be committed later.
    """

    def __init__(
        self,
        transact: Transact,
        *,
        connections: int,
        batch: int,
        delay: float,
        timeout: float,
        limit: int,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.pending = 0
        """Writes that are accepted and not settled."""
        self.limit = limit
        self.batch = batch
        self.delay = delay
        self.timeout = timeout
        self.clock = clock
        self.metrics = metrics
        self.transact = transact
        self.committed: Committed = len
        self._lines = [_Line(self, number) for number in range(connections)]
        self._tasks: list[asyncio.Task[None]] = []
        self._open = False
        metrics.gauges["writes_pending"] = lambda: self.pending

    def start(self, committed: Committed) -> None:
        """Take writes, until `stop`. Those of one transaction are given to `committed` before they are answered."""
        self.committed = committed
        self._open = True
        self._tasks = [asyncio.create_task(line.serve()) for line in self._lines]

    async def stop(self) -> None:
        """Take no more, and return when all that was accepted is settled."""
        self._open = False
        for line in self._lines:
            line.wake()
        await asyncio.gather(*self._tasks)
        self._tasks.clear()

    @property
    def stopping(self) -> bool:
        return not self._open

    def write(self, action: Action[T, R], item: T, lane: str = "") -> asyncio.Future[R]:
        """See `Store.write`. Raises DRAINING before `start` and after `stop`."""
        if not self._open:
            raise HubbubError(ErrorCode.DRAINING, retry_after=RETRY_AFTER)
        if self.pending >= self.limit:
            self.metrics.rejected["pending_writes"] += 1
            raise HubbubError(
                ErrorCode.LIMIT_EXCEEDED,
                f"{self.limit} writes wait for the database already (limits.pending_writes)",
                retry_after=RETRY_AFTER,
            )
        self.pending += 1
        lines = self._lines
        line = lines[0] if len(lines) == 1 else lines[crc32(lane.encode()) % len(lines)]
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        line.put(_Entry(action, item, lane, future, self.clock.monotonic() + self.timeout))
        return future


class _Line:
    """One connection's queue."""

    def __init__(self, writer: Writer, number: int) -> None:
        self.writer = writer
        self.number = number
        self.waiting: deque[_Entry] = deque()
        self.under_way: Sequence[_Entry] = ()
        self._awaited: asyncio.Future[None] | None = None
        self._wanted = 1
        self._watch: Timer | None = None

    def put(self, entry: _Entry) -> None:
        self.waiting.append(entry)
        if len(self.waiting) >= self._wanted:
            self.wake()
        if self._watch is None:
            self._watch = self.writer.clock.call_later(self.writer.timeout, self._expire)

    def wake(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)

    async def serve(self) -> None:
        writer, busy = self.writer, False
        while self.waiting or not writer.stopping:
            if not self.waiting:
                await self._until(1)
                continue
            if writer.delay and busy and len(self.waiting) < writer.batch and not writer.stopping:
                timer = writer.clock.call_later(writer.delay, self.wake)
                await self._until(writer.batch)
                timer.cancel()
            waiting = self.waiting
            entries = [waiting.popleft() for _ in range(min(len(waiting), writer.batch))]
            busy = len(entries) > 1  # whoever writes alone waits for nobody
            self.under_way = entries
            await self._write(entries)
            self.under_way = ()
            writer.pending -= len(entries)
        if self._watch is not None:
            self._watch.cancel()

    async def _until(self, wanted: int) -> None:
        """Wait for a call of `wake`, which comes by itself when `wanted` entries wait."""
        self._wanted = wanted
        self._awaited = asyncio.get_running_loop().create_future()
        await self._awaited
        self._awaited, self._wanted = None, 1

    async def _write(self, entries: list[_Entry]) -> None:
        batch = _Batch(entries)
        try:
            await self._commit(batch)
        except TransactionFailed as failure:
            self._refuse(entries, failure)
        except Exception:
            # Something is wrong with one of them, and the transaction is undone: the others must not suffer for it.
            await self._write_alone(entries)
        else:
            self._answer(batch)

    async def _write_alone(self, entries: list[_Entry]) -> None:
        for place, entry in enumerate(entries):
            batch = _Batch([entry])
            try:
                await self._commit(batch)
            except TransactionFailed as failure:
                self._refuse([entry], failure)
                self._refuse(entries[place + 1 :], TransactionFailed(failure.reason, failure.code))
                return
            except HubbubError as error:
                entry.refuse(error)
            except sa.exc.DBAPIError as error:
                # Not its text, which quotes values.
                fault = type(error.orig).__name__
                log.error(
                    "action failed", action=entry.action.name, error=fault, sql=error.statement, at=_at(error)
                )
                self._refuse_faulty(entry)
            except Exception:
                log.exception("action failed", action=entry.action.name)
                self._refuse_faulty(entry)
            else:
                self._answer(batch)

    async def _commit(self, batch: _Batch) -> None:
        clock, metrics = self.writer.clock, self.writer.metrics
        begun = clock.monotonic()
        await self.writer.transact(self.number, batch)
        metrics.commit_seconds.observe(clock.monotonic() - begun)
        metrics.commits += 1
        metrics.writes += sum(map(len, batch.groups))

    def _answer(self, batch: _Batch) -> None:
        try:
            if batch.outbox:
                self.writer.committed(batch.outbox)
        except Exception:
            # It is durable, whatever becomes of its being published: the head check heals that.
            log.exception("publishing failed", events=len(batch.outbox))
        batch.answer()

    def _refuse_faulty(self, entry: _Entry) -> None:
        self.writer.metrics.store_errors["action"] += 1
        entry.refuse(HubbubError(ErrorCode.INTERNAL))

    def _refuse(self, entries: Sequence[_Entry], failure: TransactionFailed) -> None:
        self.writer.metrics.store_errors[failure.reason] += len(entries)
        for entry in entries:
            entry.refuse(failure.error())

    def _expire(self) -> None:
        now, waiting = self.writer.clock.monotonic(), self.waiting
        late = [entry for entry in self.under_way if entry.deadline <= now and not entry.future.done()]
        self._refuse(late, TransactionFailed("timeout", ErrorCode.TIMEOUT, known=False))
        taken_back = []
        while waiting and waiting[0].deadline <= now:
            taken_back.append(waiting.popleft())
        self.writer.pending -= len(taken_back)
        self._refuse(taken_back, TransactionFailed("timeout", ErrorCode.TIMEOUT))
        # One timer for all: what it finds undone says when it is to look again.
        undone = [entry.deadline for entry in self.under_way if entry.deadline > now]
        following = min(undone[:1] + [entry.deadline for entry in tuple(waiting)[:1]], default=None)
        self._watch = None
        if following is not None:
            self._watch = self.writer.clock.call_later(following - now, self._expire)


def _at(error: BaseException) -> str:
    """Where in our code an error comes from, the innermost place first."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "hubbub" in frame.filename]
    return " < ".join(f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in frames[:-5:-1])
