from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.storage.sqlite_case import damage, fill, opened, read

from hubbub.errors import ConfigError
from hubbub.storage.backup import back_up
from hubbub.testing.contracts.store_case import APPEND, logged


@pytest.mark.anyio
async def test_a_copy_made_while_a_server_writes_is_of_one_moment_and_has_an_epoch_of_its_own(
    tmp_path: Path,
) -> None:
    target = tmp_path / "copy.db"
    script = "import sys; from pathlib import Path; from hubbub.storage.backup import back_up; "
    script += "back_up(Path(sys.argv[1]), Path(sys.argv[2]))"
    async with opened(tmp_path / "hubbub.db") as store:
        await asyncio.gather(*[store.write(APPEND, ("log", n)) for n in range(300)])
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, str(store.path), str(target)
        )
        ended = asyncio.create_task(process.wait())
        during = 300
        while not ended.done():
            during += len(
                await asyncio.gather(*[store.write(APPEND, ("log", during + n)) for n in range(20)])
            )
        assert await ended == 0
        assert await store.write(APPEND, ("log", during)) == during + 1
        epoch, horizon = store.epoch, await store.read(lambda snapshot: snapshot.horizon)
    async with opened(target) as copy:
        rows = await copy.read(logged("log"))
        assert 300 <= len(rows) <= during
        assert rows == [(n + 1, str(n)) for n in range(len(rows))]
        assert copy.epoch != epoch
        assert await copy.read(lambda snapshot: snapshot.horizon) <= horizon
        assert await copy.write(APPEND, ("log", "on")) == len(rows) + 1


def test_a_database_that_nobody_serves_is_copied(tmp_path: Path) -> None:
    source = fill(tmp_path / "hubbub.db", "a", "b")
    made = back_up(source, tmp_path / "copy.db")
    assert (made.path, made.size) == (tmp_path / "copy.db", (tmp_path / "copy.db").stat().st_size)
    assert made.path.stat().st_mode & 0o077 == 0
    assert made.path.read_bytes()[18:20] == b"\1\1"  # no WAL: it can be read where nothing can be written
    assert [path.name for path in tmp_path.glob("*copy*")] == ["copy.db"]
    assert read(made.path) == (made.epoch, [(1, "a"), (2, "b")])
    assert read(source)[0] != made.epoch


def test_what_is_there_is_replaced_only_if_that_is_wanted(tmp_path: Path) -> None:
    source, target = fill(tmp_path / "hubbub.db", "a"), tmp_path / "copy.db"
    target.write_bytes(b"precious")
    with pytest.raises(ConfigError, match="is there already"):
        back_up(source, target)
    assert target.read_bytes() == b"precious"
    back_up(source, target, replace=True)
    assert read(target)[1] == [(1, "a")]
    with pytest.raises(ConfigError, match="the database itself"):
        back_up(source, source, replace=True)


def test_a_database_in_use_is_not_replaced(tmp_path: Path) -> None:
    source, other = fill(tmp_path / "hubbub.db", "a"), fill(tmp_path / "other.db", "b")
    (tmp_path / "other.db-wal").touch()
    with pytest.raises(ConfigError, match="in use"):
        back_up(source, other, replace=True)
    assert read(other)[1] == [(1, "b")]


def test_what_is_no_database_of_ours_is_not_copied(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no database"):
        back_up(tmp_path / "none.db", tmp_path / "copy.db")
    (tmp_path / "text.db").write_bytes(b"some text, long enough to look like something" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        back_up(tmp_path / "text.db", tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE x (y)")
    with pytest.raises(ConfigError, match="not a database of Hubbub's"):
        back_up(tmp_path / "other.db", tmp_path / "copy.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.db", "text.db"]


def test_a_damaged_database_gives_no_backup(tmp_path: Path) -> None:
    source = fill(tmp_path / "hubbub.db", *["x" * 500] * 200)
    damage(source, "events")
    with pytest.raises((ConfigError, sqlite3.DatabaseError), match=r"damaged|malformed"):
        back_up(source, tmp_path / "copy.db")
    assert not list(tmp_path.glob("*copy*"))


def test_the_log_that_a_killed_server_leaves_is_in_the_copy(tmp_path: Path) -> None:
    script = (
        "import asyncio, os, sys; from pathlib import Path; from tests.storage.sqlite_case import *\n"
        "async def main():\n"
        "    store = make_store(Path(sys.argv[1])); await store.start(len, nobody)\n"
        "    await store.write(APPEND, ('log', 0)); os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())"
    )
    path = tmp_path / "hubbub.db"
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == -9
    assert (tmp_path / "hubbub.db-wal").stat().st_size > 0
    back_up(path, tmp_path / "copy.db")
    assert read(tmp_path / "copy.db")[1] == read(path)[1] == [(1, "0")]
