"""The Store port: one transaction for many writes, reads of one snapshot, and what has become durable.

What is run inside is plain synchronous code on a `sqlalchemy.Connection`, the same for both dialects: SQLite runs it in
threads of its own, PostgreSQL through SQLAlchemy's greenlets on asyncpg. It awaits nothing but the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

import sqlalchemy as sa
from msgspec import Struct

from hubbub.errors import HubbubError

Dialect = Literal["sqlite", "postgresql"]
T = TypeVar("T")
R = TypeVar("R")


class Logged(Struct, frozen=True, gc=False):
    """One event of a durable log: what is published once it is on disk. `data` is JSON, `offset` its `seq`."""

    channel: str
    offset: int
    event: str
    data: bytes
    sender: str | None
    time: float


class Transaction:
    """What an action works on. `stamp` is to be written into `changed` columns, so that a sync token finds the rows;
    `outbox` takes what is to be published after the commit, in order; `now` is the time of the whole transaction. What
    many transactions want to lock in whatever order (users, to tell them) is put off into `notices`, for `ending`,
    which is called when all actions have been run: who locks last, and in order, is in nobody's way. `settled` are
    called once the transaction is committed, in the loop: what is counted, is counted once.

    An action may be run again from the start (a deadlock, a lost serialization): it must change nothing but this.
    """

    __slots__ = ("connection", "dialect", "ending", "notices", "now", "outbox", "settled", "stamp")

    def __init__(self, connection: sa.Connection, dialect: Dialect, stamp: int, now: float) -> None:
        self.connection = connection
        self.dialect = dialect
        self.stamp = stamp
        self.now = now
        self.outbox: list[Logged] = []
        self.notices: list[Any] = []
        self.settled: list[Callable[[], object]] = []
        self.ending: Callable[[Transaction], object] | None = None

    def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[*tuple[Any, ...]]:
        return self.connection.execute(statement, parameters)


class Snapshot:
    """What a query reads: all from one moment. A sync that read it may say `horizon` as the next token: whatever this
    snapshot does not show has a `changed` of at least that."""

    __slots__ = ("connection", "dialect", "horizon")

    def __init__(self, connection: sa.Connection, dialect: Dialect, horizon: int) -> None:
        self.connection = connection
        self.dialect = dialect
        self.horizon = horizon

    def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[*tuple[Any, ...]]:
        return self.connection.execute(statement, parameters)


@dataclass(frozen=True, slots=True)
class Action(Generic[T, R]):
    """Something that is written. `run` gets all items of it that one transaction takes, and gives for each its result,
    or the HubbubError that refuses it (of which nothing may have been written). What it raises undoes them all, and
    each is then tried alone. `touches` are the conversations that an item locks beside its lane."""

    name: str
    run: Callable[[Transaction, Sequence[T]], Sequence[R | HubbubError]]
    touches: Callable[[T], Iterable[str]] | None = None


def each(name: str, function: Callable[[Transaction, T], R]) -> Action[T, R]:
    """An action of single items: each in a savepoint of its own, so that a refused one leaves nothing behind."""

    def run(tx: Transaction, items: Sequence[T]) -> list[R | HubbubError]:
        outcomes: list[R | HubbubError] = []
        for item in items:
            published, noticed = len(tx.outbox), len(tx.notices)
            savepoint = tx.connection.begin_nested()
            try:
                outcomes.append(function(tx, item))
                savepoint.commit()
            except HubbubError as error:
                savepoint.rollback()
                del tx.outbox[published:]
                del tx.notices[noticed:]
                outcomes.append(error)
        return outcomes

    return Action(name, run)


class Store(Protocol):
    """See `hubbub.testing.contracts.StoreContract` for the promises in executable form."""

    @property
    def dialect(self) -> Dialect: ...

    @property
    def epoch(self) -> str:
        """Of all its logs; another one after a backup was restored."""

    @property
    def lossless(self) -> bool:
        """True where nobody else writes, so that nothing is committed without this process hearing of it."""

    async def start(
        self,
        committed: Callable[[Sequence[Logged]], object],
        hinted: Callable[[str, int], object],
    ) -> None:
        """Open, check and (SQLite) migrate. `committed` is called in the loop with what became durable, in the order of
        each log, before the writers of it are answered; `hinted` with a channel and the offset that another process
        has written there.

        Raises ConfigError for what an operator must mend: a schema too old or too new, a database in use.
        """

    async def stop(self) -> None:
        """Finish what was accepted, and close."""

    def write(self, action: Action[T, R], item: T, lane: str = "") -> asyncio.Future[R]:
        """Write `item` in one of the next transactions; the future is done when it is on disk.

        What has the same `lane` is written in the order of the calls. The future raises the HubbubError of the action;
        STORE_UNAVAILABLE, STORE_FULL or TIMEOUT (all temporary) if the database does not take it, and nothing of it is
        written then, unless the message says that this is unknown; it never answers what is not durable.
        Raises LIMIT_EXCEEDED above `limits.pending_writes` at once.
        """

    async def read(self, query: Callable[[Snapshot], R]) -> R:
        """Run `query` on one snapshot, in which everything acknowledged before is seen. Raises STORE_UNAVAILABLE."""
