"""An outbox's entries in an SQLite file: there again after a restart, or a crash."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from hubbub.client.events import ClientError
from hubbub.client.outbox.base import Entry

_SCHEMA = "CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


class SqliteStorage:
    """See Storage. What is to be written while the disk is busy is written together. The file is locked while it is
    open: of two processes that would send the same writes, the second is refused."""

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._waiting: list[tuple[str, tuple[Any, ...], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def open(self) -> list[Entry]:
        self._thread = ThreadPoolExecutor(1, "hubbub-outbox")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._begin)

    async def put(self, entry: Entry) -> None:
        await self._write("INSERT OR REPLACE INTO outbox (id, entry) VALUES (?, ?)", entry.id, _encode(entry))

    async def remove(self, id: int) -> None:
        await self._write("DELETE FROM outbox WHERE id = ?", id)

    async def close(self) -> None:
        if self._writing is not None:
            await asyncio.wait((self._writing,))
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._end)
            thread.shutdown(wait=False)

    async def _write(self, statement: str, *values: Any) -> None:
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((statement, values, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        await written

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            error: Exception | None = None
            try:
                await loop.run_in_executor(self._thread, self._transact, [each[:2] for each in waiting])
            except sqlite3.Error as problem:
                error = ClientError(f"the outbox {self._path} cannot be written: {problem}")
            for _, _, written in waiting:
                if written.done():
                    continue
                if error is None:
                    written.set_result(None)
                else:
                    written.set_exception(error)
        self._writing = None

    # In the thread.

    def _begin(self) -> list[Entry]:
        try:
            self._connection = connection = sqlite3.connect(self._path, timeout=0.1, isolation_level=None)
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute(_SCHEMA)
            connection.execute("COMMIT")
            rows = connection.execute("SELECT entry FROM outbox ORDER BY id").fetchall()
            return [_decode(row[0]) for row in rows]
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            if self._connection is not None:
                self._connection.close()
            raise ClientError(f"the outbox {self._path} cannot be used: {error}") from error

    def _transact(self, statements: list[tuple[str, tuple[Any, ...]]]) -> None:
        assert self._connection is not None
        self._connection.execute("BEGIN")
        try:
            for statement, values in statements:
                self._connection.execute(statement, values)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
