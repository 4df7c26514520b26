from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.storage.sqlite_case import PRAGMA, damage, fill, make_store, nobody, opened, read

from hubbub.clock import SystemClock
from hubbub.config import StorageConfig
from hubbub.errors import ConfigError
from hubbub.storage import bulk, sqlite
from hubbub.storage.base import Transaction, each
from hubbub.storage.sqlite import SWITCH_INTERVAL, SqliteStore
from hubbub.storage.tables import keys
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.contracts.store_case import APPEND, logged


def complaint(path: Path) -> str:
    """What a store that cannot start says; nothing of it may stay."""
    with pytest.raises(ConfigError) as refused:
        fill(path)
    text = str(refused.value)
    assert text.count(". ") >= 1, "what is wrong, and what to do"
    return text


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    assert f"there is no directory {tmp_path / 'no'}" in complaint(tmp_path / "no" / "hubbub.db")


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "hubbub.db-lock").mkdir()  # as root may write everywhere
    assert f"cannot write in {tmp_path}" in complaint(tmp_path / "hubbub.db")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "hubbub.db").write_bytes(b"What is this? " * 1000)
    assert "is not a SQLite database" in complaint(tmp_path / "hubbub.db")
    assert (tmp_path / "hubbub.db").read_bytes() == b"What is this? " * 1000


def test_a_damaged_database(tmp_path: Path) -> None:
    damage(fill(tmp_path / "hubbub.db", "a"), "meta")
    assert "a damaged one" in complaint(tmp_path / "hubbub.db")


def test_a_database_of_a_later_version(tmp_path: Path) -> None:
    path = fill(tmp_path / "hubbub.db", "a")
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    assert "9999" in complaint(path)


def test_a_database_that_another_program_writes(tmp_path: Path) -> None:
    path = fill(tmp_path / "hubbub.db", "a")

    async def start() -> None:
        await make_store(path, patience=0.02).start(len, nobody)

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ConfigError, match="locked by another program"):
            asyncio.run(start())
    assert read(path)[1] == [(1, "a")]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///x.db?mode=ro", "://"])
def test_urls_that_name_no_file(url: str) -> None:
    with pytest.raises(ConfigError, match=r"storage\.url"):
        SqliteStore(StorageConfig(url=SecretStr(url)), SystemClock(), Metrics(), pending_writes=1)


@pytest.mark.anyio
async def test_a_second_server_is_refused_in_this_process_and_in_another(tmp_path: Path) -> None:
    path = tmp_path / "a ?#%.db"
    script = (
        "import asyncio, sys; from pathlib import Path; from tests.storage.sqlite_case import *\n"
        "asyncio.run(make_store(Path(sys.argv[1])).start(len, nobody))"
    )
    command = [sys.executable, "-c", script, str(path)]
    async with opened(path) as store:
        with pytest.raises(ConfigError, match=f"another server .process {os.getpid()}"):
            await make_store(path).start(len, nobody)
        other = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        assert other.returncode == 1
        assert f"in use by another server (process {os.getpid()})" in other.stderr
        assert await store.write(APPEND, ("log", "a")) == 1
    async with opened(path) as store:
        assert await store.read(logged("log")) == [(1, "a")]


@pytest.mark.anyio
async def test_the_connection_that_writes_is_as_durable_as_can_be(tmp_path: Path) -> None:
    async with opened(tmp_path / "hubbub.db") as store:
        asked = ("journal_mode", "synchronous", "wal_autocheckpoint", "foreign_keys", "busy_timeout")
        assert [await store.write(PRAGMA, name) for name in asked] == ["wal", 2, 0, 1, 2500]
        assert await store.read(lambda s: s.connection.exec_driver_sql("PRAGMA query_only").scalar()) == 1
        assert sys.getswitchinterval() <= SWITCH_INTERVAL


@pytest.mark.anyio
async def test_all_is_in_one_file_after_a_clean_stop(tmp_path: Path) -> None:
    async with opened(tmp_path / "hubbub.db") as store:
        await store.write(APPEND, ("log", "a"))
        await store.read(logged("log"))
        names = sorted(os.listdir(tmp_path))
    assert names == [f"hubbub.db{suffix}" for suffix in ("", "-lock", "-reserve", "-shm", "-wal")]
    assert sorted(os.listdir(tmp_path)) == ["hubbub.db", "hubbub.db-lock"]


@pytest.mark.anyio
async def test_only_its_user_can_read_the_database(tmp_path: Path) -> None:
    async with opened(tmp_path / "hubbub.db") as store:
        await store.write(APPEND, ("log", "a"))
        modes = {entry.name: entry.stat().st_mode & 0o077 for entry in os.scandir(tmp_path)}
    assert modes == dict.fromkeys(modes, 0)


def fill_keys(tx: Transaction, scope: str) -> None:
    rows = [(scope, f"key{n}", "", "x" * 1000, 0.0) for n in range(6_000)]
    bulk.insert(tx, keys, ("scope", "key", "digest", "result", "time"), rows)


FILL = each("fill", fill_keys)
MEGABYTE = 2**20


async def sizes(path: Path) -> tuple[int, int]:
    """Of the database and of its log, in megabytes."""
    log = path.with_name(path.name + "-wal")
    database, behind = [(await asyncio.to_thread(each.stat)).st_size for each in (path, log)]
    return database // MEGABYTE, behind // MEGABYTE


@pytest.mark.anyio
async def test_the_log_is_brought_into_the_database_before_it_grows_large(tmp_path: Path) -> None:
    async with opened(tmp_path / "hubbub.db") as store:
        for number in range(8):
            await store.write(FILL, f"{number}")
        database, log = await sizes(store.path)
        assert database >= 30
        assert log <= 30


@pytest.mark.anyio
async def test_a_log_that_a_long_reader_made_grow_is_cut_when_it_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "WAL_PAGES", 5_000)
    async with opened(tmp_path / "hubbub.db") as store:
        with closing(sqlite3.connect(store.path, isolation_level=None)) as reader:
            reader.execute("PRAGMA query_only = ON")
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM meta").fetchall()
            for number in range(6):
                await store.write(FILL, f"{number}")
            assert (await sizes(store.path))[1] >= 30
        for number in range(6, 9):
            await store.write(FILL, f"{number}")
        assert (await sizes(store.path))[1] <= 20
        assert await store.write(PRAGMA, "busy_timeout") == 2500
