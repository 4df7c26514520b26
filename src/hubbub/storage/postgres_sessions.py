"""Connections to PostgreSQL as the store needs them: set up and checked, ended in time, and their errors explained.

A connection is never cancelled and used again: what takes too long has its connection cut, which ends the transaction
on both sides.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from hubbub.clock import Clock
from hubbub.errors import ConfigError, ErrorCode

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

R = TypeVar("R")

OLDEST = 140_000
"""`server_version_num`: pg_current_xact_id is of 13, and 14 is the oldest that is maintained."""
PAUSE = 0.1
"""Seconds between attempts to connect."""
STATEMENTS = 1_000
"""Prepared statements that a connection keeps."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is the matter with the database. `again`: the same transaction may well succeed now. `mend`: it does not
    pass by itself, as a wrong password."""

    reason: str
    code: ErrorCode = ErrorCode.STORE_UNAVAILABLE
    again: bool = False
    mend: bool = False


LOST = Fault("connection", again=True)
TIMEOUT = Fault("timeout", ErrorCode.TIMEOUT)
READ_ONLY = Fault("read-only")
"""The server has become a standby; or, of a connection that is to read only, the statement is wrong."""
FAULTS = {
    "08": LOST,
    "25006": READ_ONLY,
    "25P03": LOST,
    "28": Fault("authentication", mend=True),
    "3D000": Fault("no such database", mend=True),
    "40001": Fault("serialization", again=True),
    "40P01": Fault("deadlock", again=True),
    "53": Fault("resources"),
    "53100": Fault("full", ErrorCode.STORE_FULL),
    "53300": Fault("connections"),
    "55P03": TIMEOUT,
    "57014": TIMEOUT,
    "57P": Fault("restart", again=True),
    "58": Fault("i/o"),
    "XX001": Fault("corrupt"),
    "XX002": Fault("corrupt"),
}
"""By SQLSTATE or what it begins with. All others are faults of the statement."""


def fault_of(error: BaseException) -> Fault | None:
    """What an error says of the database; None if it is about the statement, or no error of a database."""
    if isinstance(error, sa.exc.DBAPIError):
        error = error.orig or error
    if isinstance(error, OSError):  # TimeoutError is one
        return LOST
    state = getattr(error, "sqlstate", None) or ""
    for length in (5, 3, 2):
        if (found := FAULTS.get(state[:length])) is not None:
            return found
    return None


@dataclass(frozen=True, slots=True)
class Server:
    """What a connection found. `system` names the cluster and its timeline: it changes when a dump is restored in
    another one, and when this one goes on from a backup or a standby. None: the role may not know."""

    version: int
    encoding: str
    system: str | None
    standby: bool
    synchronous: bool
    fsync: bool


class Session:
    """One connection. `expired`: cut for it took too long."""

    def __init__(self, connection: AsyncConnection, raw: Any, server: Server, clock: Clock) -> None:
        self.server = server
        self.expired = False
        self._connection = connection
        self._raw = raw
        self._clock = clock

    @property
    def lost(self) -> bool:
        """Whether it is closed, from whichever side."""
        return bool(self._raw.is_closed())

    async def run(self, function: Callable[[sa.Connection], R], within: float) -> R:
        """Run synchronous code on it; after `within` seconds its connection is cut, and it fails by that."""
        timer = self._clock.call_later(max(within, 0.0), self._expire)
        try:
            return await self._connection.run_sync(function)
        finally:
            timer.cancel()

    def fault_of(self, error: BaseException) -> Fault | None:
        """As the function, of an error that came out of `run`."""
        if self.expired:
            return TIMEOUT
        return fault_of(error) or (LOST if self.lost else None)

    async def close(self) -> None:
        """At once, and without an error."""
        self._raw.terminate()
        with contextlib.suppress(sa.exc.DBAPIError, OSError):
            await self._connection.invalidate()
        with contextlib.suppress(sa.exc.DBAPIError, OSError):
            await self._connection.close()

    def _expire(self) -> None:
        self.expired = True
        self._raw.terminate()


class Sessions:
    """Makes connections to the database of `url`, which is asyncpg's and libpq's, query parameters included.

    `timeout`, in seconds, is of one statement. Raises ConfigError if the driver is not installed.
    """

    def __init__(self, url: str, clock: Clock, timeout: float) -> None:
        try:
            import asyncpg  # type: ignore[import-untyped]
            from sqlalchemy.ext.asyncio import create_async_engine
        except ImportError as error:
            raise ConfigError(
                f"storage.url names PostgreSQL, whose driver is not installed ({error.name}). "
                "Install it: pip install 'hubbub[postgres]'"
            ) from error
        self._url = url.replace("postgresql+asyncpg:", "postgresql:", 1)
        self._clock = clock
        self._timeout = timeout
        self._asyncpg = asyncpg
        self._class = _careful(asyncpg)
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={
                "async_creator_fn": self._connect,
                "prepared_statement_cache_size": STATEMENTS,
            },
        )

    async def open(self, within: float, *, read_only: bool = False) -> Session:
        """A connection for transactions of READ COMMITTED, or of REPEATABLE READ that only read. What it raises for the
        database is explained by `fault_of`, ConfigError is for a URL that cannot be read."""
        async with asyncio.timeout(within):
            connection = await self._engine.connect()
            try:
                raw = (await connection.get_raw_connection()).driver_connection
                settings = self._settings(read_only=read_only)
                server = await connection.run_sync(lambda sync: _set_up(sync, settings))
            except BaseException:
                await _abandon(connection)
                raise
        return Session(connection, raw, server, self._clock)

    async def open_first(self) -> Session:
        """A connection to a database that a store can work with, waited for as long as a statement is.

        Raises ConfigError, which says what is in the way.
        """
        deadline = self._clock.monotonic() + self._timeout
        while True:
            try:
                session = await self.open(max(deadline - self._clock.monotonic(), PAUSE))
                break
            except (sa.exc.DBAPIError, OSError) as error:
                fault = fault_of(error)
                if fault is None or fault.mend or self._clock.monotonic() + PAUSE >= deadline:
                    raise ConfigError(
                        f"the database of storage.url cannot be reached ({_why(error)}). Start PostgreSQL, or correct "
                        "storage.url."
                    ) from error
            await asyncio.sleep(PAUSE)
        try:
            _check(session.server)
        except BaseException:
            await session.close()
            raise
        return session

    async def open_raw(self, within: float) -> Any:
        """An asyncpg connection, for LISTEN."""
        async with asyncio.timeout(within):
            return await self._connect(cached=100)

    async def _connect(self, cached: int = 0) -> Any:
        try:
            return await self._asyncpg.connect(
                self._url,
                connection_class=self._class,
                statement_cache_size=cached,  # SQLAlchemy keeps its own
                server_settings={"application_name": "hubbub"},
            )
        except (ValueError, OverflowError, self._asyncpg.InterfaceError) as error:  # of a port, too
            raise ConfigError(
                f"storage.url cannot be used ({error}). Write postgresql://user:password@host/database."
            ) from error

    def _settings(self, *, read_only: bool) -> dict[str, str]:
        milliseconds = str(max(1, int(self._timeout * 1000)))
        return {
            "synchronous_commit": "on",
            "statement_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
            "default_transaction_isolation": "repeatable read" if read_only else "read committed",
            "default_transaction_read_only": "on" if read_only else "off",
            "jit": "off",  # compiling takes longer than our statements do
        }


def _check(server: Server) -> None:
    if server.version < OLDEST:
        raise ConfigError(
            f"PostgreSQL {server.version // 10_000} is too old. Hubbub needs {OLDEST // 10_000} or later."
        )
    if server.encoding != "UTF8":
        raise ConfigError(
            f"the database of storage.url has the encoding {server.encoding}. Make one with ENCODING 'UTF8'."
        )
    if server.standby:
        raise ConfigError("storage.url names a standby, which takes no writes. Name the primary.")
    if not server.synchronous:
        raise ConfigError(
            "synchronous_commit cannot be turned on, so that a crash could lose what was acknowledged. Connect to "
            "PostgreSQL itself, or to a pooler in session mode."
        )


def _why(error: BaseException) -> str:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    text = str(cause).partition(">: ")[2] or str(cause)  # SQLAlchemy puts the class before
    return text.strip().rstrip(".") or "it does not answer"


def _careful(asyncpg: Any) -> type[Any]:
    """A connection that believes no COMMIT: of a transaction in which something failed, PostgreSQL makes a ROLLBACK,
    and raises no error."""

    class Careful(asyncpg.Connection):  # type: ignore[misc]
        async def execute(self, query: str, *args: Any, **options: Any) -> str:
            status: str = await super().execute(query, *args, **options)
            if query.startswith("COMMIT") and status != "COMMIT":
                raise RuntimeError("the action has hidden an error: its transaction was rolled back")
            return status

    return Careful


def _set_up(connection: sa.Connection, settings: dict[str, str]) -> Server:
    chosen = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())
    with connection.begin():
        connection.exec_driver_sql(f"SELECT {chosen}")
        version, encoding, standby, commit, fsync, told = connection.exec_driver_sql(
            "SELECT current_setting('server_version_num')::int, pg_encoding_to_char(encoding), pg_is_in_recovery(), "
            "current_setting('synchronous_commit') = 'on', current_setting('fsync') = 'on', "
            "has_function_privilege('pg_control_system()', 'execute') "
            "AND has_function_privilege('pg_walfile_name(pg_lsn)', 'execute') "
            "FROM pg_database WHERE datname = current_database()"
        ).one()
        system = None
        if told and not standby:
            system = connection.exec_driver_sql(
                "SELECT system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) "
                "FROM pg_control_system()"
            ).scalar_one()
    return Server(version, encoding, system, standby, commit, fsync)


async def _abandon(connection: AsyncConnection) -> None:
    with contextlib.suppress(sa.exc.DBAPIError, OSError):
        await connection.invalidate()
    with contextlib.suppress(sa.exc.DBAPIError, OSError):
        await connection.close()
