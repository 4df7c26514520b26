"""A store on a file of the test's, and what the tests of faults do with it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from pydantic import SecretStr

from hubbub.clock import SystemClock
from hubbub.config import StorageConfig
from hubbub.errors import HubbubError
from hubbub.storage.base import Transaction, each
from hubbub.storage.sqlite import SqliteStore
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.contracts.store_case import APPEND, logged


def make_store(
    path: Path, *, metrics: Metrics | None = None, patience: float = 5.0, reserve: int = 4096
) -> SqliteStore:
    config = StorageConfig(url=SecretStr(f"sqlite:///{path}"), timeout=patience, reserve_bytes=reserve)
    return SqliteStore(config, SystemClock(), metrics or Metrics(), pending_writes=10_000)


def nobody(channel: str, offset: int) -> None:
    """For `hinted`."""


@asynccontextmanager
async def opened(path: Path, *, patience: float = 5.0, reserve: int = 4096) -> AsyncIterator[SqliteStore]:
    store = make_store(path, patience=patience, reserve=reserve)
    await store.start(len, nobody)
    try:
        yield store
    finally:
        await store.stop()


def fill(path: Path, *data: object) -> Path:
    """Make a database, if there is none, and append to the log `log`. Not in an event loop."""

    async def run() -> None:
        async with opened(path) as store:
            await asyncio.gather(*[store.write(APPEND, ("log", item)) for item in data])

    asyncio.run(run())
    return path


def read(path: Path) -> tuple[str, list[tuple[int, str]]]:
    """The epoch and the log `log`. Not in an event loop."""

    async def run() -> tuple[str, list[tuple[int, str]]]:
        async with opened(path) as store:
            return store.epoch, await store.read(logged("log"))

    return asyncio.run(run())


async def until_refused(store: SqliteStore, count: int) -> tuple[list[int], HubbubError | None]:
    """Append `count` large events to the log `log`, one after the other; what was answered."""
    acknowledged = []
    for number in range(count):
        try:
            acknowledged.append(await store.write(APPEND, ("log", f"{number} {'x' * 20_000}")))
        except HubbubError as error:
            return acknowledged, error
    return acknowledged, None


def damage(path: Path, table: str) -> None:
    """Overwrite the root page of a table."""
    with closing(sqlite3.connect(path)) as database:
        (root,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096 + 8)
        file.write(b"\xff" * 2000)


def _pragma(tx: Transaction, text: str) -> object:
    return tx.connection.exec_driver_sql(f"PRAGMA {text}").scalar()


PRAGMA = each("pragma", _pragma)
"""On the connection that writes."""
