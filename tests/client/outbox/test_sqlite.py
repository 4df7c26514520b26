from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from hubbub.client import ClientError
from hubbub.client.outbox.base import Entry, Refused
from hubbub.client.outbox.sqlite import SqliteStorage
from hubbub.model import Raw

pytestmark = pytest.mark.anyio


def entry(id: int) -> Entry:
    error = Refused(104, "no") if id % 2 else None
    return Entry(id, "m", Raw(b'{"a":1}'), f"k{id}", "g", 1.5, "failed" if error else "queued", 2, error)


def crash(folder: Path) -> None:
    """A copy of what is on the disk now."""
    (folder / "copy").mkdir()
    for file in folder.glob("outbox.db*"):
        (folder / "copy" / file.name).write_bytes(file.read_bytes())


async def test_all_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    storage = SqliteStorage(path)
    assert await storage.open() == []
    await asyncio.gather(*(storage.put(entry(id)) for id in range(1, 101)))
    await storage.remove(50)
    await storage.close()
    again = SqliteStorage(path)
    kept = await again.open()
    await again.close()
    assert [each.id for each in kept] == [id for id in range(1, 101) if id != 50]
    assert (kept[0], bytes(kept[0].params)) == (entry(1), b'{"a":1}')


async def test_what_was_awaited_is_on_the_disk(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "outbox.db")
    await storage.open()
    await storage.put(entry(2))
    crash(tmp_path)
    again = SqliteStorage(tmp_path / "copy" / "outbox.db")
    assert await again.open() == [entry(2)]
    await again.close()
    await storage.close()


async def test_two_do_not_send_the_same(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "outbox.db")
    await storage.open()
    with pytest.raises(ClientError, match="locked"):
        await SqliteStorage(tmp_path / "outbox.db").open()
    await storage.close()
    again = SqliteStorage(tmp_path / "outbox.db")
    assert await again.open() == []
    await again.close()


async def test_a_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"not a database, but long enough to be looked at as one" * 20)
    with pytest.raises(ClientError, match="cannot be used"):
        await SqliteStorage(path).open()


async def test_a_disk_that_takes_nothing_more(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "outbox.db")
    await storage.open()

    def full(*arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    storage._transact = full  # type: ignore[method-assign, assignment]
    with pytest.raises(ClientError, match="disk is full"):
        await storage.put(entry(2))
    del storage._transact
    await storage.put(entry(2))
    await storage.close()
