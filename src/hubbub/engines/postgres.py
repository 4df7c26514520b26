"""PostgreSQL as what carries messages between nodes and keeps what they share, for teams that have no Redis.

Everything is in the schema `hubbub_live` of the database of `storage.url`, in tables that are UNLOGGED: they cost no
flush, and a crash of the server, a standby that takes over or a restored backup finds them empty, whole tables at a
time. That is what is wanted: a log that came back without its last publications, under the same epoch, would give their
offsets to others; an empty one begins a new epoch, and everybody is told the truth.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hubbub.clock import Clock
from hubbub.config import StorageConfig
from hubbub.engines.base import Condition, call_all
from hubbub.engines.postgres_lane import ENGINE, Lane, Run, reason
from hubbub.engines.postgres_listener import Heard, Listener
from hubbub.errors import ConfigError
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

log = get_logger("hubbub.engines")

SCHEMA = "hubbub_live"
OLDEST = 140_000
TIMEOUT = 2.0
"""Seconds at the most in which PostgreSQL must answer; less if `storage.timeout` is."""
PROBE = 1.0
"""Seconds between probes; with two of them missing, the listener is made again."""
LOCK = 0x48_75_62_01
"""Advisory lock of whoever makes or changes tables."""
CONNECTIONS = 2
"""Connections for single statements of a node."""
NODE_LOCKS = 0x48_75_62_04
"""First number of the advisory locks by which nodes that listen are known; the second is the node's."""
EVERYBODY = "hubbub.all"
"""Heard by all nodes: that somebody may have missed something of what one of them has published."""
SETTINGS = """
SELECT set_config('synchronous_commit', 'off', false),  -- nothing of ours outlives a crash
    set_config('statement_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $1, false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('client_min_messages', 'warning', false), set_config('jit', 'off', false),
    set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '2', false),
    set_config('tcp_keepalives_count', '3', false),
    current_setting('server_version_num')::int, pg_is_in_recovery()
"""
HOME = f"""
SELECT concat_ws('/', CASE WHEN has_function_privilege('pg_control_system()', 'execute')
    THEN (SELECT system_identifier FROM pg_control_system()) END,
    (SELECT oid FROM pg_database WHERE datname = current_database()), to_regclass('{SCHEMA}.parts')::oid)
"""
"""Where this very table is: another place after a dump was restored, with the logs as they once were."""

NEVER = ("28", "3D", "42501", "0A")
"""SQLSTATEs that no waiting mends: a wrong password, no such database, no permission, an encoding that cannot be."""


@dataclass(frozen=True, slots=True)
class Part:
    """Tables and functions of one user of the engine. `statements` may be run again and again; `version` is counted up
    with each change of theirs, and functions have it in their names, for nodes of two versions run side by side."""

    name: str
    version: int
    statements: str


NODES = Part(
    "engine",
    1,
    f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.alive_1(node int) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = {NODE_LOCKS} AND objid = node::oid
        AND objsubid = 2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
$$;
""",
)
"""Whether a node's listener is connected."""


class Postgres:
    """What the nodes of one database have in common; start and stop are counted, as several may use it."""

    def __init__(self, config: StorageConfig, clock: Clock, metrics: Metrics) -> None:
        url = config.url.get_secret_value()
        if not url.startswith(("postgresql:", "postgresql+asyncpg:", "postgres:")):
            raise ConfigError(
                "broker.type is postgresql, but storage.url names another database. Set storage.url to "
                "postgresql://user:password@host/database."
            )
        try:
            import asyncpg  # type: ignore[import-untyped]
        except ImportError as error:
            raise ConfigError(
                "PostgreSQL's driver is not installed. Install it: pip install 'hubbub[postgres]'"
            ) from error
        self.node = secrets.randbits(31)
        self.condition = Condition(False, clock.monotonic(), "not started")
        self.heard: Heard = lambda name, payload: None
        self.missed: list[Callable[[], object]] = []
        self.renewed: list[Callable[[], object]] = []
        self.timeout = min(config.timeout, TIMEOUT)
        self._asyncpg = asyncpg
        self._class = _hearing(asyncpg)
        self._url = url.replace("postgresql+asyncpg:", "postgresql:", 1)
        self._clock = clock
        self._metrics = metrics
        self._parts = {NODES.name: NODES}
        self._users = 0
        self._own = f"hubbub.{self.node:x}"
        self._probes = [0, 0]  # sent, and the last that was heard
        self._probing: asyncio.Task[None] | None = None
        self._up = asyncio.Event()  # all connections are there
        self._lanes: list[Lane[Any, Any]] = []
        self._statements = self.lane(_each, connections=CONNECTIONS)
        self._listener = Listener(
            self._connect_listening,
            self._hear,
            self._restored,
            self._changed,
            metrics,
            timeout=self.timeout,
            home=(self._own, EVERYBODY),
        )

    # --- before start -------------------------------------------------------------------------------------

    def need(self, part: Part) -> None:
        """Have these tables there whenever a statement is run."""
        self._parts[part.name] = part

    def lane(self, run: Run[Any, Any], *, most: int = 1, connections: int = 1) -> Lane[Any, Any]:
        """A lane of the caller's own, which starts and stops with the engine."""
        lane: Lane[Any, Any] = Lane(
            self._connect,
            run,
            self._changed,
            self._metrics,
            timeout=self.timeout,
            most=most,
            connections=connections,
        )
        self._lanes.append(lane)
        return lane

    # --- life ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Raises ConfigError for what will never work. It goes on without a server that does not answer now."""
        self._users += 1
        if self._users > 1:
            return
        answers = False
        try:
            (await self._connect()).terminate()
            answers = True
        except (OSError, TimeoutError) as error:
            log.warning("PostgreSQL does not answer; trying on", reason=reason(error))
        except self._asyncpg.PostgresError as error:
            if (error.sqlstate or "").startswith(NEVER):
                self._users -= 1
                raise ConfigError(f"storage.url cannot be used for nodes: {error}.") from error
            log.warning("PostgreSQL does not answer; trying on", reason=reason(error))
        except BaseException:
            self._users -= 1
            raise
        for lane in self._lanes:
            lane.start()
        self._listener.start()
        self._probing = asyncio.create_task(self._probe())
        if answers:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.timeout):
                    await self._up.wait()

    async def stop(self) -> None:
        self._users -= 1
        if self._users or self._probing is None:
            return
        self._probing.cancel()
        await asyncio.gather(self._probing, return_exceptions=True)
        self._probing = None
        await asyncio.gather(*(lane.stop() for lane in self._lanes))
        await self._listener.stop()
        self.condition = Condition(False, self._clock.monotonic(), "stopped")

    # --- asking and hearing -------------------------------------------------------------------------------

    async def fetch(self, statement: str, *args: Any) -> list[Any]:
        """The rows of one statement. Raises HubbubError BROKER_UNAVAILABLE."""
        rows: list[Any] = await self._statements.submit((statement, args))
        return rows

    async def listen(self, name: str) -> None:
        """See Listener: once it returns, `heard` is called with what is notified under `name`."""
        await self._listener.listen(name)

    def unlisten(self, name: str) -> None:
        self._listener.unlisten(name)

    async def _probe(self) -> None:
        """Hear oneself each second: a connection that is open need not be one that hears."""
        while True:
            await asyncio.sleep(PROBE)
            try:
                await self.fetch("SELECT pg_notify($1, $2)", self._own, str(self._probes[0] + 1))
            except Exception:
                self._judge()  # the lane tells why
                continue
            self._probes[0] += 1
            if self._probes[0] - self._probes[1] > 2 and self._listener.open:
                self._metrics.engine_errors[ENGINE, "deaf"] += 1
                log.error("PostgreSQL's notices are not heard; listening anew")
                self._probes[1] = self._probes[0]
                self._listener.cut()
            self._judge()

    def _hear(self, name: str, payload: str) -> None:
        if name == self._own:
            if payload.isascii() and payload.isdigit():
                self._probes[1] = max(self._probes[1], min(int(payload), self._probes[0] + 1))
            return
        if name == EVERYBODY:
            call_all(self.missed, ENGINE)
            return
        try:
            self.heard(name, payload)
        except Exception:
            log.exception("what was heard from PostgreSQL was not taken")

    def _restored(self) -> None:
        self._probes[1] = self._probes[0]
        call_all(self.missed, ENGINE)

    def _changed(self) -> None:
        self._judge()
        if not (self._listener.open and all(lane.whole for lane in self._lanes)):
            self._up.clear()
        elif not self._up.is_set():
            self._up.set()
            call_all(self.renewed, ENGINE)

    def _judge(self) -> None:
        detail = ""
        if not all(lane.whole for lane in self._lanes):
            detail = "PostgreSQL does not answer"
        elif not self._listener.open:
            detail = "not listening"
        elif self._probes[0] - self._probes[1] > 1:
            detail = "own probes are not heard"
        self._metrics.engine_up[ENGINE] = int(not detail)
        self._metrics.engine_breaker_open[ENGINE] = int(any(lane.cut_off for lane in self._lanes))
        if detail != self.condition.detail:
            self.condition = Condition(not detail, self._clock.monotonic(), detail)

    # --- connections --------------------------------------------------------------------------------------

    async def _connect(self) -> Any:
        async with asyncio.timeout(self.timeout):
            connection = await self._open()
            try:
                await self._set_up(connection)
            except BaseException:
                connection.terminate()
                raise
        return connection

    async def _connect_listening(self, heard: Heard) -> Any:
        connection = await self._connect()
        try:
            # A network that goes silent just now would leave this node deaf, and who subscribes waiting, for ever.
            async with asyncio.timeout(self.timeout):
                await connection.execute(f"SELECT pg_advisory_lock_shared({NODE_LOCKS}, {self.node})")
        except BaseException:
            connection.terminate()
            raise
        connection.heard = heard
        return connection

    async def _open(self) -> Any:
        try:
            return await self._asyncpg.connect(
                self._url,
                connection_class=self._class,
                server_settings={"application_name": "hubbub nodes"},
            )
        except (ValueError, OverflowError, self._asyncpg.InterfaceError) as error:
            raise ConfigError(
                f"storage.url cannot be used ({error}). Write postgresql://user:password@host/database."
            ) from error

    async def _set_up(self, connection: Any) -> None:
        row = await connection.fetchrow(SETTINGS, str(max(1, int(self.timeout * 1000))))
        version, standby = row[-2], row[-1]
        if version < OLDEST:
            raise ConfigError(
                f"PostgreSQL {version // 10_000} is too old. Hubbub needs {OLDEST // 10_000} or later."
            )
        if standby:
            raise ConnectionError("a standby, which takes no writes")
        if not await self._complete(connection):
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
                await self._make(connection)

    async def _complete(self, connection: Any) -> bool:
        if await connection.fetchval(f"SELECT to_regclass('{SCHEMA}.parts')") is None:
            return False
        home = await connection.fetchval(HOME)
        rows = await connection.fetch(f"SELECT name, version, home FROM {SCHEMA}.parts")
        there = {row["name"]: row["version"] for row in rows}
        return all(row["home"] == home for row in rows) and all(
            there.get(part.name, 0) >= part.version for part in self._parts.values()
        )

    async def _make(self, connection: Any) -> None:
        """The tables that are not there, under the lock. Of a dump that was restored, nothing is kept."""
        await connection.execute("SET LOCAL synchronous_commit = on")
        if await connection.fetchval("SELECT to_regnamespace($1)", SCHEMA) is None:
            await connection.execute(f"CREATE SCHEMA {SCHEMA}")
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS {SCHEMA}.parts "
            "(name text PRIMARY KEY, version int NOT NULL, home text NOT NULL)"
        )
        home = await connection.fetchval(HOME)
        rows = await connection.fetch(f"SELECT name, version, home FROM {SCHEMA}.parts")
        if any(row["home"] != home for row in rows):
            tables = await connection.fetchval(
                "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables "
                "WHERE schemaname = $1 AND tablename <> 'parts'",
                SCHEMA,
            )
            if tables:
                await connection.execute(f"TRUNCATE {tables}")
            await connection.execute(f"UPDATE {SCHEMA}.parts SET home = $1", home)
        there = {row["name"]: row["version"] for row in rows}
        for part in self._parts.values():
            if there.get(part.name, 0) < part.version:
                await connection.execute(part.statements)
                await connection.execute(
                    f"INSERT INTO {SCHEMA}.parts VALUES ($1, $2, $3) "
                    "ON CONFLICT (name) DO UPDATE SET version = excluded.version, home = excluded.home",
                    part.name,
                    part.version,
                    home,
                )


async def _each(connection: Any, jobs: list[tuple[str, tuple[Any, ...]]]) -> list[Any]:
    return [await connection.fetch(statement, *args) for statement, args in jobs]


def _hearing(asyncpg: Any) -> type[Any]:
    """A connection that passes notices on as they come. asyncpg's own way is a LISTEN for one name at a time, and a
    turn of the loop for each notice."""

    class Hearing(asyncpg.Connection):  # type: ignore[misc]
        heard: Heard | None = None

        def _process_notification(self, pid: int, channel: str, payload: str) -> None:
            if self.heard is not None:
                self.heard(channel, payload)

    return Hearing
