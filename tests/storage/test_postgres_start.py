"""What a server says that cannot begin to work with its database."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
import sqlalchemy as sa
from tests.storage.postgres_case import Node, make, running

from hubbub.errors import ConfigError, ErrorCode, HubbubError
from hubbub.storage.base import Snapshot
from hubbub.storage.postgres import PostgresStore
from hubbub.storage.postgres_sessions import Server, _check
from hubbub.testing.contracts.store_case import STAMP, logged
from hubbub.testing.postgres import execute

pytestmark = pytest.mark.anyio
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
SYSTEM = "SELECT value FROM meta WHERE name = 'system'"


async def start(store: PostgresStore) -> None:
    try:
        await store.start(len, lambda channel, offset: None)
    finally:
        await store.stop()


async def test_a_database_that_is_not_migrated_is_refused(empty_postgres_url: str) -> None:
    with pytest.raises(ConfigError, match=r"lacks the revision 0001.*`hubbub migrate`"):
        await start(make(empty_postgres_url))
    assert await asyncio.to_thread(execute, empty_postgres_url, TABLES) == [(0,)]


async def test_development_migrates_by_itself(empty_postgres_url: str) -> None:
    await start(make(empty_postgres_url, migrate=True))
    await start(make(empty_postgres_url))


async def test_a_database_of_a_later_version_is_refused(postgres_url: str) -> None:
    await asyncio.to_thread(execute, postgres_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match="revision 9999"):
        await start(make(postgres_url))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("hubbub:", "nobody:", "password authentication failed"),
        ("/test_", "/nothing_", "does not exist"),
        ("127.0.0.1:", "127.0.0.1:1", "reached|cannot be used"),
    ],
)
async def test_what_cannot_be_reached_is_said(postgres_url: str, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        await start(make(postgres_url.replace(old, new, 1), timeout=0.3))
    password = postgres_url.partition("@")[0].rpartition(":")[2]
    assert password not in str(caught.value)


async def test_nobody_there_is_said_after_a_while() -> None:
    with pytest.raises(ConfigError, match="cannot be reached"):
        await start(make("postgresql://hubbub:secret@127.0.0.1:1/chat", timeout=0.3))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"version": 130_011}, "PostgreSQL 13 is too old"),
        ({"encoding": "LATIN1"}, "encoding LATIN1"),
        ({"standby": True}, "a standby"),
        ({"synchronous": False}, "synchronous_commit"),
    ],
)
async def test_servers_that_will_not_do_are_refused(changed: dict[str, object], said: str) -> None:
    fit = {
        "version": 140_000,
        "encoding": "UTF8",
        "system": None,
        "standby": False,
        "synchronous": True,
        "fsync": True,
    }
    _check(Server(**fit))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=said):
        _check(Server(**fit | changed))  # type: ignore[arg-type]


async def test_synchronous_commit_is_on_whatever_the_database_says(postgres_url: str) -> None:
    name = postgres_url.rpartition("/")[2]
    await asyncio.to_thread(execute, postgres_url, f"ALTER DATABASE {name} SET synchronous_commit = off")
    async with running(postgres_url) as node:

        def ask(snapshot: Snapshot) -> str:
            return str(snapshot.execute(sa.text("SHOW synchronous_commit")).scalar_one())

        assert await node.store.read(ask) == "on"


async def test_a_dump_restored_elsewhere_has_a_new_epoch(postgres_url: str) -> None:
    """`meta.system` comes with the dump. The first start only notes it."""
    async with running(postgres_url) as node:
        epoch = node.store.epoch
        await node.store.write(STAMP, "user")
    system = (await asyncio.to_thread(execute, postgres_url, SYSTEM))[0][0]
    assert system
    async with running(postgres_url) as node:
        assert node.store.epoch == epoch
    changes = [
        "UPDATE meta SET value = 'elsewhere' WHERE name = 'system'",
        "UPDATE users SET changed = 9000000000",
    ]
    await asyncio.to_thread(execute, postgres_url, *changes)
    async with running(postgres_url) as one, running(postgres_url) as other:
        assert one.store.epoch != epoch
        assert other.store.epoch == one.store.epoch
    assert await asyncio.to_thread(execute, postgres_url, SYSTEM) == [(system,)]
    assert await asyncio.to_thread(execute, postgres_url, "SELECT changed FROM users") == [(0,)]


async def test_nothing_is_taken_before_the_start_and_after_the_stop(postgres_url: str) -> None:
    node = Node(make(postgres_url))
    for _ in range(2):
        with pytest.raises(HubbubError) as caught:
            node.store.write(STAMP, "x")
        assert caught.value.code is ErrorCode.DRAINING
        with pytest.raises(HubbubError) as caught:
            await node.store.read(logged("a"))
        assert caught.value.code is ErrorCode.DRAINING
        await start(node.store)


def test_without_its_driver_the_rest_works() -> None:
    program = (
        "import sys\nsys.modules['asyncpg'] = None\n"
        "import hubbub, hubbub.app, hubbub.cli\n"
        "from hubbub.config import StorageConfig\nfrom hubbub.errors import ConfigError\n"
        "from hubbub.storage.postgres import PostgresStore\n"
        "try:\n    PostgresStore(StorageConfig(url='postgresql://x/y'), None, None, pending_writes=1)\n"
        "except ConfigError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'hubbub[postgres]'" in done.stdout, done.stderr
