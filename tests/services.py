"""Real services for the tests that ask for them: one PostgreSQL a run, a database a test; one Redis a worker, a prefix
a test."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from hubbub.config.cluster import RedisConfig
from hubbub.storage import migrations
from hubbub.testing.postgres import TEMPLATE, create_database, drop_database, shared
from hubbub.testing.redis import RedisServer


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of the run's server, as a superuser. Make databases there, and leave the server as it is: tests that
    stop it or change its settings start a `hubbub.testing.postgres.Cluster`."""
    return shared()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """`storage.url` of a migrated database for this test alone."""
    yield from _database(postgres_server, TEMPLATE)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with all tables: to copy it takes a hundredth of the time that making them takes."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        migrations.upgrade(connection)
        connection.commit()
    engine.dispose()
    return path


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """`storage.url` of a migrated file for this test alone, in its `tmp_path`."""
    path = tmp_path / "chat.db"
    shutil.copyfile(migrated_sqlite, path)
    return f"sqlite:///{path}"


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
