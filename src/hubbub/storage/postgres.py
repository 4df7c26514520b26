"""The store on PostgreSQL, which several nodes may share.

Each writing connection has one transaction under way, in READ COMMITTED: actions lock the rows that they decide by.
Whatever ended before its COMMIT was sent is not written, and is tried again if that may help; whether a COMMIT that was
not answered has happened is asked of the database itself, by the number of the transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa

from hubbub.clock import Clock
from hubbub.config import StorageConfig
from hubbub.errors import ConfigError, ErrorCode, HubbubError
from hubbub.storage.base import Action, Dialect, Logged, Snapshot, Transaction
from hubbub.storage.epoch import adopt, read_meta
from hubbub.storage.postgres_notices import ANY, Hinted, Notices
from hubbub.storage.postgres_sessions import LOST, READ_ONLY, Fault, Session, Sessions, fault_of
from hubbub.storage.revision import is_at_head
from hubbub.storage.writer import RETRY_AFTER, Committed, TransactionFailed, Work, Writer
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

T = TypeVar("T")
R = TypeVar("R")
log = get_logger("hubbub.storage")

PATIENCE = 2.0
"""Seconds of an outage through which writes and reads wait; in a longer one they are refused at once."""
PAUSE = (0.005, 0.1)
"""Seconds before a transaction is tried again: at the least, and before a connection is."""
SHARE = 0.8
"""Of `storage.timeout` that a transaction may take: then those that wait for it can still be told what became of it."""

STAMP = (
    "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value "
    "RETURNING pg_current_xact_id()::text::bigint"
)
"""Each transaction leaves a witness in its line's row: a transaction's number by itself proves nothing, for after a
crash of the server it may be given again."""
HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
OUTCOME = "SELECT pg_xact_status(CAST(CAST(:stamp AS text) AS xid8)), current_setting('synchronous_standby_names') = ''"
WITNESS = "SELECT value FROM meta WHERE name = :name"


class PostgresStore:
    """A `hubbub.storage.base.Store`. With `migrate` the database is brought to the newest revision by `start`.

    Raises ConfigError if the driver is not installed, or `storage.url` is none.
    """

    dialect: Dialect = "postgresql"
    lossless = False

    def __init__(
        self,
        config: StorageConfig,
        clock: Clock,
        metrics: Metrics,
        *,
        pending_writes: int,
        migrate: bool = False,
    ) -> None:
        self.epoch = ""
        self.notices: Notices | None = None
        self._timeout = config.timeout
        self._clock = clock
        self._metrics = metrics
        self._migrate = migrate
        self._notify = config.notify
        self._sessions = Sessions(config.url.get_secret_value(), clock, config.timeout)
        self._writing: list[Session | None] = [None] * config.writers
        self._lines = [f"writer:{uuid.uuid4().hex}" for _ in range(config.writers)]
        self._idle: list[Session] = []
        self._places = asyncio.Semaphore(config.readers)
        self._reads: set[asyncio.Task[object]] = set()
        self._open = False
        self._system: str | None = None
        self._adopting = asyncio.Lock()
        self._down_since: float | None = None
        self._hinted: Hinted = lambda channel, offset: None
        self._committed: Committed = len
        self._writer = Writer(
            self._transact,
            connections=config.writers,
            batch=config.batch,
            delay=config.batch_delay,
            timeout=config.timeout,
            limit=pending_writes,
            clock=clock,
            metrics=metrics,
        )

    async def start(
        self,
        committed: Callable[[Sequence[Logged]], object],
        hinted: Callable[[str, int], object],
    ) -> None:
        """See `Store.start`. A database that does not answer is waited for, for `storage.timeout` seconds."""
        self._committed, self._hinted = committed, hinted
        session = await self._sessions.open_first()
        try:
            if not session.server.fsync:
                log.warning("PostgreSQL has fsync off: a crash of its machine loses acknowledged messages")
            if not await session.run(is_at_head, self._timeout):
                await self._bring_to_head(session)
            self._system = session.server.system
            self.epoch = await session.run(self._adopt, self._timeout)
        finally:
            await session.close()
        if self._notify:
            self.notices = Notices(self._sessions.open_raw, hinted, self._timeout, self._metrics)
            self.notices.start()
        self._open = True
        self._writer.start(self._publish)

    async def _bring_to_head(self, session: Session) -> None:
        """Migrate, or raise ConfigError."""
        migrations = await asyncio.to_thread(_migrations)
        if self._migrate:
            await session.run(migrations.upgrade, migrations.PATIENCE)
        else:
            await session.run(_check_revision, self._timeout)

    async def stop(self) -> None:
        await self._writer.stop()
        self._open = False
        if self._reads:
            await asyncio.wait(self._reads)
        if self.notices is not None:
            await self.notices.stop()
        for session in (*self._writing, *self._idle):
            if session is not None:
                await session.close()
        self._writing = [None] * len(self._writing)
        self._idle.clear()

    def write(self, action: Action[T, R], item: T, lane: str = "") -> asyncio.Future[R]:
        return self._writer.write(action, item, lane)

    async def read(self, query: Callable[[Snapshot], R]) -> R:
        """See `Store.read`. Raises TIMEOUT too. Of a caller that is cancelled the query goes on, to its own end: its
        connection would have to be closed otherwise."""
        if not self._open:
            raise HubbubError(ErrorCode.DRAINING, retry_after=RETRY_AFTER)
        task = asyncio.create_task(self._read(query))
        self._reads.add(task)
        task.add_done_callback(self._has_read)
        return await asyncio.shield(task)

    # --- starting -----------------------------------------------------------------------------------------------------

    def _adopt(self, connection: sa.Connection) -> str:
        with connection.begin():
            if self._system is not None:
                return adopt(connection, self._system)
            return read_meta(connection, "epoch") or ""

    # --- connections --------------------------------------------------------------------------------------------------

    async def _connect(self, deadline: float, *, read_only: bool = False) -> Session:
        """Raises TransactionFailed, at once if the database has been away for long."""
        while True:
            now = self._clock.monotonic()
            try:
                session = await self._sessions.open(
                    min(PATIENCE, max(deadline - now, 0.0)), read_only=read_only
                )
                await self._welcome(session)
            except (sa.exc.DBAPIError, OSError, ConfigError) as error:
                fault = fault_of(error) or LOST
            else:
                if self._down_since is not None:
                    log.info("the database answers again", seconds=round(now - self._down_since, 1))
                self._down_since = None
                return session
            now = self._clock.monotonic()
            if self._down_since is None:
                self._down_since = now
                log.warning("the database cannot be reached", reason=fault.reason)
            if now + PAUSE[1] >= min(deadline, self._down_since + PATIENCE):
                raise TransactionFailed(fault.reason, fault.code)
            await asyncio.sleep(PAUSE[1])

    async def _welcome(self, session: Session) -> None:
        """Refuse what takes no writes, and have a new epoch where the cluster is another, or went back in time."""
        system = session.server.system
        if session.server.standby:
            await session.close()
            raise ConnectionError("the server is a standby")
        if system == self._system or system is None:
            return
        try:
            async with self._adopting:
                if system != self._system:
                    other = await self._sessions.open(self._timeout)
                    try:
                        epoch = await other.run(
                            lambda connection: _adopted(connection, system), self._timeout
                        )
                    finally:
                        await other.close()
                    log.error("the database is another, or went back in time: its logs have a new epoch")
                    self._system, self.epoch = system, epoch
                    self._hinted(ANY, 0)
        except BaseException:
            await session.close()
            raise

    # --- writing ------------------------------------------------------------------------------------------------------

    async def _transact(self, line: int, work: Work) -> None:
        begun = self._clock.monotonic()
        deadline = begun + self._timeout * SHARE
        while True:
            session = self._writing[line]
            if session is None or session.lost:
                await self._let_go(line)
                session = self._writing[line] = await self._connect(deadline)
            attempt = _Attempt(work, self._clock.now(), self._lines[line])
            try:
                await session.run(attempt, deadline - self._clock.monotonic())
                return
            except Exception as error:
                fault, lost = session.fault_of(error), session.lost
                if lost or attempt.committing or (fault is not None and not fault.again):
                    await self._let_go(line)  # what it is like is not known, or another server may be better
                if fault is None:
                    raise
                if attempt.committing and lost:
                    await self._resolve(line, attempt, fault, begun + self._timeout)
                    return
                late = self._clock.monotonic() + PAUSE[1] >= deadline
                if late or not fault.again:
                    log.warning("write failed", reason=fault.reason, error=_text(error))
                    raise TransactionFailed(fault.reason, fault.code) from error
                self._metrics.store_retries[fault.reason] += 1
            await asyncio.sleep(PAUSE[0] * random.uniform(1.0, 2.0))

    async def _resolve(self, line: int, attempt: _Attempt, fault: Fault, deadline: float) -> None:
        """Return if the transaction is committed. Raises TransactionFailed: known, if it is not and never will be."""
        system = self._system
        while self._clock.monotonic() < deadline:
            try:
                session = self._writing[line] = await self._connect(deadline)
                status, alone, witnessed = await session.run(
                    lambda connection: _outcome(connection, attempt), deadline - self._clock.monotonic()
                )
            except (TransactionFailed, sa.exc.DBAPIError, OSError):
                await self._let_go(line)
                await asyncio.sleep(PAUSE[1])
                continue
            if system is None or self._system != system:
                break  # the number may be of another transaction
            if status == "in progress":  # ours, or one that got its number after a crash
                await asyncio.sleep(PAUSE[1])
                continue
            if not witnessed:
                raise TransactionFailed(fault.reason, fault.code)
            if alone:
                return
            break
        log.warning(
            "it is unknown whether a transaction was committed", stamp=attempt.stamp, reason=fault.reason
        )
        raise TransactionFailed(fault.reason, fault.code, known=False)

    async def _let_go(self, line: int) -> None:
        session, self._writing[line] = self._writing[line], None
        if session is not None:
            await session.close()

    def _publish(self, events: Sequence[Logged]) -> None:
        if self.notices is not None:
            self.notices.tell(events)
        self._committed(events)

    # --- reading ------------------------------------------------------------------------------------------------------

    async def _read(self, query: Callable[[Snapshot], R]) -> R:
        deadline = self._clock.monotonic() + self._timeout
        try:
            async with asyncio.timeout(self._timeout):
                await self._places.acquire()
        except TimeoutError:
            raise self._refused("readers") from None
        try:
            while True:
                session = await self._reader(deadline)
                try:
                    result = await session.run(partial(_ask, query), deadline - self._clock.monotonic())
                except Exception as error:
                    fault = session.fault_of(error)
                    if fault is READ_ONLY:
                        fault = None
                    if session.lost or fault is not None:
                        await session.close()
                    else:
                        self._idle.append(session)
                    if fault is None:
                        raise
                    if not fault.again or self._clock.monotonic() + PAUSE[1] >= deadline:
                        log.warning("read failed", reason=fault.reason, error=_text(error))
                        raise self._refused(fault.reason, fault.code) from error
                else:
                    self._idle.append(session)
                    return result
        except TransactionFailed as failure:
            raise self._refused(failure.reason, failure.code) from failure
        finally:
            self._places.release()

    async def _reader(self, deadline: float) -> Session:
        while self._idle:
            session = self._idle.pop()
            if not session.lost:
                return session
            await session.close()
        return await self._connect(deadline, read_only=True)

    def _has_read(self, task: asyncio.Task[object]) -> None:
        self._reads.discard(task)
        if not task.cancelled():
            task.exception()  # seen by the caller, if there is one still

    def _refused(self, reason: str, code: ErrorCode = ErrorCode.STORE_UNAVAILABLE) -> HubbubError:
        self._metrics.store_errors[reason] += 1
        code = ErrorCode.TIMEOUT if code is ErrorCode.TIMEOUT else ErrorCode.STORE_UNAVAILABLE
        return HubbubError(code, retry_after=RETRY_AFTER)


class _Attempt:
    """One transaction, in a greenlet: `committing` once COMMIT is sent, `stamp` is its number, `token` its witness."""

    __slots__ = ("_now", "_work", "committing", "line", "stamp", "token")

    def __init__(self, work: Work, now: float, line: str) -> None:
        self._work = work
        self._now = now
        self.line = line
        self.token = uuid.uuid4().hex
        self.stamp = 0
        self.committing = False

    def __call__(self, connection: sa.Connection) -> None:
        transaction = connection.begin()
        try:
            self.stamp = connection.exec_driver_sql(STAMP, (self.line, self.token)).scalar_one()
            self._work(Transaction(connection, "postgresql", self.stamp, self._now))
            if not transaction.is_active:
                raise RuntimeError("the action ended the transaction that it was run in")
        except BaseException:
            with contextlib.suppress(sa.exc.DBAPIError, OSError):
                transaction.rollback()
            raise
        self.committing = True
        transaction.commit()


def _ask(query: Callable[[Snapshot], R], connection: sa.Connection) -> R:
    """Run a query, in a greenlet. The first statement of a transaction takes its snapshot."""
    with connection.begin():
        horizon = connection.exec_driver_sql(HORIZON).scalar_one()
        return query(Snapshot(connection, "postgresql", horizon))


def _migrations() -> Any:
    """The module of that name. It reads files, when imported and when first used."""
    from hubbub.storage import migrations

    migrations.script()
    return migrations


def _check_revision(connection: sa.Connection) -> None:
    missing = _migrations().pending(connection)
    connection.rollback()
    if missing:
        raise ConfigError(
            f"the database of storage.url lacks the revision {', '.join(missing)}. Run `hubbub migrate`."
        )


def _adopted(connection: sa.Connection, system: str) -> str:
    with connection.begin():
        return adopt(connection, system)


def _outcome(connection: sa.Connection, attempt: _Attempt) -> tuple[str | None, bool, bool]:
    """What became of the transaction of that number; whether no standby must have it; and whether its witness is there,
    asked after that, with a snapshot of its own."""
    with connection.begin():
        status, alone = connection.execute(sa.text(OUTCOME), {"stamp": str(attempt.stamp)}).one()
        witness = connection.execute(sa.text(WITNESS), {"name": attempt.line}).scalar()
    return status, alone, witness == attempt.token


def _text(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error)
