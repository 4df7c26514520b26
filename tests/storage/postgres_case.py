"""What the tests of PostgresStore share: a store on a database, one in trouble perhaps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from hubbub.clock import SystemClock
from hubbub.config import StorageConfig
from hubbub.storage.base import Logged
from hubbub.storage.postgres import PostgresStore
from hubbub.telemetry.metrics import Metrics


class Node:
    """A store, and what it has said."""

    def __init__(self, store: PostgresStore) -> None:
        self.store = store
        self.durable: list[Logged] = []
        self.hints: list[tuple[str, int]] = []

    def hinted(self, channel: str, offset: int) -> None:
        self.hints.append((channel, offset))


def make(url: str, *, migrate: bool = False, **settings: Any) -> PostgresStore:
    config = StorageConfig(url=SecretStr(url), **settings)
    return PostgresStore(config, SystemClock(), Metrics(), pending_writes=10_000, migrate=migrate)


@asynccontextmanager
async def running(url: str, **settings: Any) -> AsyncIterator[Node]:
    node = Node(make(url, **settings))
    await node.store.start(node.durable.extend, node.hinted)
    try:
        yield node
    finally:
        await node.store.stop()


def offsets(events: Sequence[Logged]) -> list[tuple[str, int]]:
    return [(event.channel, event.offset) for event in events]
