"""Real services for the tests that ask for them: one PostgreSQL a run, a database a test; one Redis a worker, a prefix
a test."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from asyncpg import Connection  # type: ignore[import-untyped]
from pydantic import SecretStr

from hubbub.config.cluster import RedisConfig
from hubbub.storage import migrations
from hubbub.testing.postgres import TEMPLATE, create_database, drop_database, execute, shared
from hubbub.testing.redis import RedisServer

OF_USERS = 16_384
"""Oids from here on differ from database to database."""
SHAPE = """
SELECT concat_ws('/', (SELECT string_agg(version_num::text, ',') FROM alembic_version),
    (SELECT string_agg(extname::text, ',' ORDER BY extname::text) FROM pg_extension),
    (SELECT string_agg(relname::text || relkind::text, ',' ORDER BY relname::text) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace))
"""
"""What a test may not leave changed behind it, or its database is not used again."""

EMPTY = f"""
DO $$ DECLARE each record; BEGIN
    IF ({SHAPE}) <> :shape THEN RAISE EXCEPTION 'the test has changed more than rows'; END IF;
    PERFORM pg_terminate_backend(pid, 10000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    EXECUTE format('ALTER DATABASE %I RESET ALL', current_database());
    SET LOCAL client_min_messages = warning;
    DROP SCHEMA IF EXISTS hubbub_live CASCADE;
    SET LOCAL session_replication_role = replica;
    FOR each IN SELECT oid::regclass AS name, relkind FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S') AND relname <> 'alembic_version'
    LOOP
        IF each.relkind = 'S' THEN
            EXECUTE format('ALTER SEQUENCE %s RESTART', each.name);
        ELSE
            EXECUTE format('DELETE FROM %s', each.name);
        END IF;
    END LOOP;
    INSERT INTO meta TABLE kept.meta;
END $$
"""
"""Throws all others out of a database of that shape and brings it back to where a new one is: no triggers, no foreign
keys."""


@pytest.fixture(scope="session", autouse=True)
def known_types() -> None:
    """asyncpg asks on each connection anew what an array of integers is, which takes the server 8 ms."""
    ask: Any = Connection._introspect_types
    known: dict[frozenset[int], Any] = {}

    async def introspect(self: Connection, oids: Iterable[int], *rest: Any) -> Any:
        wanted = frozenset(oids)
        if wanted not in known:
            found = await ask(self, wanted, *rest)
            if max(wanted) >= OF_USERS:
                return found
            known[wanted] = found
        return known[wanted]

    Connection._introspect_types = introspect


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of the run's server, as a superuser. Make databases there, and leave the server as it is: tests that
    stop it or change its settings start a `hubbub.testing.postgres.Cluster`."""
    return shared()


@pytest.fixture(scope="session")
def spare_databases() -> list[tuple[str, str]]:
    """URLs and shapes of migrated databases that tests of this worker have left, with no rows in them."""
    return []


@pytest.fixture
def postgres_url(postgres_server: str, spare_databases: list[tuple[str, str]]) -> Iterator[str]:
    """`storage.url` of a migrated database for this test alone. The next test gets it with its rows gone, which takes
    a tenth of the time that a new one takes, unless its tables were changed."""
    url, shape = spare_databases.pop() if spare_databases else _new_database(postgres_server)
    yield url
    try:
        execute(url, EMPTY.replace(":shape", f"'{shape}'"))
    except Exception:  # it is broken, or has another shape
        drop_database(postgres_server, url.rpartition("/")[2])
    else:
        spare_databases.append((url, shape))


def _new_database(server: str) -> tuple[str, str]:
    url = create_database(server, f"test_{secrets.token_hex(6)}", TEMPLATE)
    execute(url, "CREATE SCHEMA kept", "CREATE TABLE kept.meta AS TABLE meta")
    return url, str(execute(url, SHAPE)[0][0])


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """`storage.url` of a migrated file for this test alone, in its `tmp_path`."""
    return sqlite_in(tmp_path)


def sqlite_in(folder: Path) -> str:
    """`storage.url` of the migrated file of a folder. To copy it takes a hundredth of the time that making it takes."""
    path = folder / "chat.db"
    if not path.exists():
        path.write_bytes(_migrated())
    return f"sqlite:///{path}"


@cache
def _migrated() -> bytes:
    """A database file with all tables."""

    def made() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "chat.db")
            engine = sa.create_engine(f"sqlite:///{path}")
            with engine.connect() as connection:
                migrations.upgrade(connection)
                connection.commit()
            engine.dispose()
            return path.read_bytes()

    with ThreadPoolExecutor(1) as pool:  # it blocks, and there may be a loop here
        return pool.submit(made).result()


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """`storage.url` of a database with nothing in it."""
    yield from _database(postgres_server, "template0")


def _database(server: str, template: str) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    yield create_database(server, name, template)
    drop_database(server, name)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One server for all tests of this worker. Leave it as it is: tests that stop, flush or set it start one
    themselves."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """`redis.url` of that server. Others' keys are there, too: use `redis_config`, or a prefix of your own."""
    return redis_server.url


@pytest.fixture
def redis_config(redis_url: str) -> RedisConfig:
    """Settings with a prefix that is this test's alone."""
    return RedisConfig(url=SecretStr(redis_url), prefix=f"test-{secrets.token_hex(6)}")
