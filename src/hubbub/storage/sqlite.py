"""The store on SQLite: one connection that writes and checkpoints, in a thread of its own, and readers beside it.

One connection does both because of SQLite's WAL-reset bug (3.7.0 to 3.51.2), by which a commit can be lost when
another connection checkpoints at the same time. A lock file keeps a second server away for the same reason.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import sqlalchemy as sa

from hubbub.clock import Clock
from hubbub.config import StorageConfig
from hubbub.errors import ConfigError, ErrorCode, HubbubError
from hubbub.storage.base import Action, Dialect, Logged, Snapshot, Transaction
from hubbub.storage.epoch import read_meta, renew_epoch, write_meta
from hubbub.storage.reserve import Reserve
from hubbub.storage.revision import is_at_head
from hubbub.storage.writer import RETRY_AFTER, TransactionFailed, Work, Writer
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

T = TypeVar("T")
R = TypeVar("R")
log = get_logger("hubbub.storage")

SWITCH_INTERVAL = 0.0005
"""Seconds. Whoever comes back from a call of SQLite's waits up to this long for the interpreter while the event loop is
busy: beside a thread that never pauses, a transaction of one statement took 17 ms with Python's 5 ms; with this, 2."""
CHECKPOINT_ROWS = 10_000
"""Rows changed after which the WAL is brought into the database: by then it has about as many pages of 4 KiB."""
WAL_PAGES = 16_384
"""Pages in the WAL (64 MiB) with which a checkpoint waits for readers. As long as one of them reads in the WAL, that
only grows; and with a new reader before each old one ends, it would do so for ever."""
WAL_PATIENCE = 50
"""Milliseconds of that: a backup may be reading for minutes, and writes go on meanwhile."""
STEPS = 50_000
"""Steps of SQLite's machine (about a millisecond) after which a reader looks whether it is out of time."""

REASONS = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_PROTOCOL: "busy",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_PERM: "read-only",
    sqlite3.SQLITE_IOERR: "i/o",
    sqlite3.SQLITE_CANTOPEN: "i/o",
    sqlite3.SQLITE_NOMEM: "memory",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
    sqlite3.SQLITE_INTERRUPT: "timeout",
}
"""What is the matter with the database, by SQLite's primary result code. All others are faults of the statement."""


def reason_of(error: BaseException) -> str | None:
    """A key of `REASONS`'s values, also for what SQLAlchemy has wrapped; None for errors of other kinds."""
    if isinstance(error, sa.exc.DBAPIError):
        error = error.orig or error
    return REASONS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)


def database_path(url: str) -> Path:
    """The file of a `sqlite:///...` URL, absolute. Raises ConfigError."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise ConfigError("storage.url is not a URL. Write sqlite:///file or postgresql://...") from error
    if not parsed.database or parsed.database == ":memory:" or parsed.query:
        raise ConfigError("storage.url names no file. Write sqlite:///file (four slashes: from the root).")
    return Path(parsed.database).absolute()


def connect(path: Path, mode: str, timeout: float) -> sqlite3.Connection:
    """Open a file, with transactions begun by hand. `mode` is ro, rw or rwc; `timeout` in seconds is for locks."""
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=512,
    )


class SqliteStore:
    """A `hubbub.storage.base.Store` in one file, for one process."""

    dialect: Dialect = "sqlite"
    lossless = True

    def __init__(self, config: StorageConfig, clock: Clock, metrics: Metrics, *, pending_writes: int) -> None:
        self.path = database_path(config.url.get_secret_value())
        self.epoch = ""
        self._timeout = config.timeout
        self._clock = clock
        self._metrics = metrics
        self._reserve = Reserve(self._beside("-reserve"), config.reserve_bytes)
        self._writer = Writer(
            self._transact,
            connections=1,
            batch=config.batch,
            delay=config.batch_delay,
            timeout=config.timeout,
            limit=pending_writes,
            clock=clock,
            metrics=metrics,
        )
        self._readers = config.readers
        self._writing: ThreadPoolExecutor | None = None
        self._reading: ThreadPoolExecutor | None = None
        self._lock: int | None = None
        # Known to the writing thread only.
        self._connection: sa.Connection | None = None
        self._stamp = 0
        self._full = False
        self._failing = ""
        self._checkpointed = 0
        self._checkpoint_due = False
        # Known to the reading threads.
        self._local = threading.local()
        self._open_readers: list[_Reader] = []

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    async def start(
        self,
        committed: Callable[[Sequence[Logged]], object],
        hinted: Callable[[str, int], object],
    ) -> None:
        """See `Store.start`. Raises ConfigError."""
        if sys.getswitchinterval() > SWITCH_INTERVAL:
            sys.setswitchinterval(SWITCH_INTERVAL)
        self._writing = ThreadPoolExecutor(1, "hubbub-write")
        self._reading = ThreadPoolExecutor(self._readers, "hubbub-read")
        try:
            await self._in_writer(self._open)
        except BaseException:
            await self._close()
            raise
        self._writer.start(committed)

    async def stop(self) -> None:
        await self._writer.stop()
        await self._close()

    def write(self, action: Action[T, R], item: T, lane: str = "") -> asyncio.Future[R]:
        return self._writer.write(action, item, lane)

    async def read(self, query: Callable[[Snapshot], R]) -> R:
        """See `Store.read`. Raises TIMEOUT too; the query is interrupted then."""
        if self._reading is None:
            raise HubbubError(ErrorCode.DRAINING, retry_after=RETRY_AFTER)
        deadline = self._clock.monotonic() + self._timeout
        reading = asyncio.get_running_loop().run_in_executor(self._reading, self._read, query, deadline)
        try:
            async with asyncio.timeout(self._timeout + 1.0):  # a disk that hangs does not look at deadlines
                return await reading
        except TimeoutError:
            raise self._refused("timeout") from None

    async def _in_writer(self, function: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._writing, function)

    async def _transact(self, connection: int, work: Work) -> None:
        await self._in_writer(partial(self._run, work))
        if self._checkpoint_due and self._writing is not None:
            self._writing.submit(self._checkpoint)  # while those who wrote are answered

    async def _close(self) -> None:
        writing, reading = self._writing, self._reading
        self._reading = None
        if writing is None or reading is None:
            return
        reading.shutdown(wait=False)
        await self._in_writer(partial(self._close_all, reading))
        self._writing = None
        writing.shutdown(wait=False)

    # --- in the writing thread ----------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._take_lock()
        try:
            # Not for everybody to read, nor its -wal and -shm, which take after it.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o600))
            self._connection = self._open_connection("rw")
            if not is_at_head(self._connection):
                from hubbub.storage import migrations

                migrations.upgrade(self._connection)
            with self._connection.begin():
                epoch = read_meta(self._connection, "epoch")
                self.epoch = epoch or renew_epoch(self._connection)
                self._stamp = int(read_meta(self._connection, "stamp") or 0)
                write_meta(self._connection, "stamp", str(self._stamp))
        except (sa.exc.DBAPIError, sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error
        self._full = not self._take_reserve()

    def _take_lock(self) -> None:
        path = self._beside("-lock")
        try:
            self._lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except FileNotFoundError as error:
            raise ConfigError(
                f"there is no directory {self.path.parent}. Make it, or name another file in storage.url."
            ) from error
        except OSError as error:
            raise ConfigError(
                f"cannot write in {self.path.parent} ({error.strerror}). "
                "Let the server's user write there, or name another file in storage.url."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(self._lock, 20).decode(errors="replace").strip() or "unknown"
            raise ConfigError(
                f"{self.path} is in use by another server (process {owner}). "
                "Stop that one, name another file in storage.url, or use PostgreSQL, which several servers can share."
            ) from error
        os.ftruncate(self._lock, 0)
        os.write(self._lock, f"{os.getpid()}\n".encode())

    def _open_connection(self, mode: str) -> sa.Connection:
        # A lock that somebody holds is waited for less long than a request waits, so that the answer is certain.
        opened = connect(self.path, mode, self._timeout / 2)
        try:
            (journal,) = opened.execute("PRAGMA journal_mode = WAL").fetchone()
            if journal != "wal":
                raise ConfigError(
                    f"{self.path} cannot have a write-ahead log. It lies on a network's file system, perhaps: "
                    "name a file on a local disk in storage.url, or use PostgreSQL."
                )
            opened.execute("PRAGMA synchronous = FULL")
            opened.execute("PRAGMA foreign_keys = ON")
            opened.execute("PRAGMA wal_autocheckpoint = 0")  # `_checkpoint` does it, after the answers
            opened.execute("PRAGMA cache_size = -16384")
        except BaseException:
            opened.close()
            raise
        return _engine(opened, "BEGIN IMMEDIATE").connect()

    def _unusable(self, error: Exception) -> ConfigError:
        texts = {
            "corrupt": "is not a SQLite database, or a damaged one. Name another file in storage.url, or put a "
            "backup in its place (with no -wal and -shm beside it).",
            "busy": "is locked by another program. Close what has it open.",
            "read-only": "cannot be written. Let the server's user write it and its directory.",
            "full": "cannot be written for the disk is full. Make room.",
        }
        fault = getattr(error, "orig", error)
        text = texts.get(
            reason_of(error) or "", f"cannot be opened ({fault}). Name another file in storage.url."
        )
        return ConfigError(f"{self.path} {text}")

    def _take_reserve(self) -> bool:
        try:
            return self._reserve.take()
        except OSError as error:
            log.warning("no reserve for a full disk", path=str(self._reserve.path), error=str(error))
            return True

    def _run(self, work: Work) -> None:
        """One transaction."""
        if self._full and not self._take_reserve():
            raise TransactionFailed("full", ErrorCode.STORE_FULL)
        self._full = False
        try:
            connection = self._connection or self._reopened()
            transaction = connection.begin()
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            raise self._failed(error, known=True) from error
        try:
            tx = Transaction(connection, "sqlite", self._stamp + 1, self._clock.now())
            work(tx)
            connection.exec_driver_sql("UPDATE meta SET value = ? WHERE name = 'stamp'", (str(tx.stamp),))
            if not _raw(connection).in_transaction:
                raise RuntimeError("the action ended the transaction that it was run in")
        except BaseException as error:
            self._roll_back(transaction)
            if reason_of(error) is not None:
                raise self._failed(error, known=True) from error
            raise
        try:
            transaction.commit()
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            self._roll_back(transaction)
            # With no room, the frame that would make it a commit is not whole. With other faults it may be: it is taken
            # back, but a crash before the next commit would bring it to life.
            raise self._failed(error, known=reason_of(error) == "full") from error
        self._stamp = tx.stamp
        if self._failing:
            self._failing = ""
            log.info("database writes again")
        self._checkpoint_due = _raw(connection).total_changes - self._checkpointed > CHECKPOINT_ROWS

    def _roll_back(self, transaction: sa.RootTransaction) -> None:
        # After an error of the disk SQLite has rolled back by itself, and what is left is to tell SQLAlchemy so.
        with suppress(sa.exc.DBAPIError, sqlite3.Error):
            transaction.rollback()

    def _failed(self, error: BaseException, *, known: bool) -> TransactionFailed:
        reason = reason_of(error) or "other"
        if reason != self._failing:
            self._failing = reason
            log.error("database refuses", reason=reason, error=str(getattr(error, "orig", error)))
        if reason == "full":
            self._tidy()
            return TransactionFailed(reason, ErrorCode.STORE_FULL, known=known)
        if reason != "busy":
            self._close_connection()  # the next transaction tries a new one
        return TransactionFailed(reason, known=known)

    def _tidy(self) -> None:
        """Bring what the WAL holds into the database, in the room of the reserve. Writes are refused until there is
        room for the reserve again, so that they do not eat it."""
        self._reserve.give_up()
        self._checkpoint()
        self._full = not self._take_reserve()

    def _checkpoint(self) -> None:
        """As far as readers let it."""
        self._checkpoint_due = False
        if self._connection is not None:
            opened = _raw(self._connection)
            self._checkpointed = opened.total_changes
            try:
                _, pages, _ = opened.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if pages > WAL_PAGES:
                    opened.execute(f"PRAGMA busy_timeout = {WAL_PATIENCE}")
                    opened.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                    opened.execute(f"PRAGMA busy_timeout = {round(self._timeout * 500)}")
            except sqlite3.Error as error:
                log.warning("checkpoint failed", error=str(error))

    def _reopened(self) -> sa.Connection:
        connection = self._open_connection("rw")
        with connection.begin():
            epoch, stamp = read_meta(connection, "epoch"), read_meta(connection, "stamp")
        if epoch != self.epoch:
            connection.close()
            log.error("another database was put in place of ours: start again", path=str(self.path))
            raise TransactionFailed("replaced")
        self._stamp, self._checkpointed = int(stamp or 0), 0
        self._connection = connection
        return connection

    def _close_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sa.exc.DBAPIError, sqlite3.Error):
                connection.close()

    def _close_all(self, reading: ThreadPoolExecutor) -> None:
        reading.shutdown(wait=True)
        for reader in self._open_readers:
            reader.close()
        self._open_readers.clear()
        self._close_connection()  # the last one: brings the WAL into the database and takes it away
        if self._lock is not None:
            self._reserve.give_up()
            os.close(self._lock)
            self._lock = None

    # --- in the reading threads ---------------------------------------------------------------------------------------

    def _read(self, query: Callable[[Snapshot], R], deadline: float) -> R:
        if self._clock.monotonic() > deadline:
            raise self._refused("timeout")
        reader: _Reader | None = getattr(self._local, "reader", None)
        try:
            if reader is None:
                reader = self._local.reader = _Reader(self.path, self._timeout, self._clock)
                self._open_readers.append(reader)
            return reader.read(query, deadline)
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            reason = reason_of(error)
            if reason is None or reason == "read-only":  # a query that writes is wrong
                raise
            if reader is not None and reason not in ("timeout", "busy"):
                self._open_readers.remove(reader)
                self._local.reader = None
                reader.close()
            raise self._refused(reason) from error

    def _refused(self, reason: str) -> HubbubError:
        self._metrics.store_errors[reason] += 1
        code = ErrorCode.TIMEOUT if reason == "timeout" else ErrorCode.STORE_UNAVAILABLE
        return HubbubError(code, retry_after=RETRY_AFTER)


class _Reader:
    """A connection that can neither write nor checkpoint, for one thread."""

    def __init__(self, path: Path, timeout: float, clock: Clock) -> None:
        self._clock = clock
        self._deadline = 0.0
        opened = connect(path, "ro", timeout / 2)
        opened.execute("PRAGMA query_only = ON")
        opened.execute("PRAGMA cache_size = -8192")
        opened.set_progress_handler(self._late, STEPS)
        self._connection = _engine(opened, "BEGIN").connect()

    def _late(self) -> bool:
        return self._clock.monotonic() > self._deadline

    def read(self, query: Callable[[Snapshot], R], deadline: float) -> R:
        self._deadline = deadline
        connection = self._connection
        with connection.begin():
            # The first statement is what takes the snapshot.
            row = connection.exec_driver_sql("SELECT value FROM meta WHERE name = 'stamp'").one()
            return query(Snapshot(connection, "sqlite", int(row[0]) + 1))

    def close(self) -> None:
        with suppress(sa.exc.DBAPIError, sqlite3.Error):
            self._connection.close()


def _engine(opened: sqlite3.Connection, begin: str) -> sa.Engine:
    """SQLAlchemy on one connection that is open. It begins transactions with `begin`."""
    engine = sa.create_engine(
        "sqlite://", creator=lambda: opened, poolclass=sa.pool.NullPool, hide_parameters=True
    )

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _raw(connection: sa.Connection) -> Any:
    """The sqlite3 connection."""
    return connection.connection.dbapi_connection
