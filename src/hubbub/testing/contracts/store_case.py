"""What the store suites are made of: the hook for an implementation, fixtures, and actions on the real tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Action, Logged, Snapshot, Store, Transaction, each
from hubbub.storage.tables import events, users
from hubbub.telemetry.metrics import Metrics

REFUSED = HubbubError(ErrorCode.CONFLICT, "refused by the test")
Committed = Callable[[Sequence[Logged]], object]


def _append(tx: Transaction, item: tuple[str, object]) -> int:
    """Write an event at the head of a conversation's log, and publish it. Gives its seq."""
    conversation, data = item
    user = tx.execute(sa.select(users.c.head).where(users.c.id == conversation)).scalar()
    seq = (user or 0) + 1
    if user is None:
        tx.execute(sa.insert(users).values(**user_row(conversation, tx.stamp, head=1)))
    else:
        tx.execute(sa.update(users).where(users.c.id == conversation).values(head=seq, changed=tx.stamp))
    tx.execute(
        sa.insert(events).values(conversation=conversation, seq=seq, type="test", time=tx.now, data=str(data))
    )
    tx.outbox.append(Logged(conversation, seq, "test", str(data).encode(), None, tx.now))
    if data == "refuse":
        raise REFUSED
    if data == "break":
        raise RuntimeError("broken by the test")
    if data == "twice":
        tx.execute(sa.insert(events).values(conversation=conversation, seq=seq, type="t", time=0.0, data=""))
    return seq


APPEND: Action[tuple[str, object], int] = each("append", _append)
"""Of (log, data). Data `refuse`, `break` and `twice` do that after all else is done."""


def stamps(tx: Transaction, items: Sequence[str]) -> list[int]:
    """Make or touch users; gives the stamps."""
    for name in items:
        touched = tx.execute(sa.update(users).where(users.c.id == name).values(changed=tx.stamp))
        if not touched.rowcount:
            tx.execute(sa.insert(users).values(**user_row(name, tx.stamp)))
    return [tx.stamp] * len(items)


STAMP: Action[str, int] = Action("stamp", stamps)


def user_row(name: str, changed: int, *, head: int = 0) -> dict[str, Any]:
    return {
        "id": name,
        "kind": "person",
        "name": name,
        "show_last_seen": "everyone",
        "head": head,
        "created": 0.0,
        "updated": 0.0,
        "changed": changed,
    }


def logged(conversation: str) -> Callable[[Snapshot], list[tuple[int, str]]]:
    """A query: (seq, data) of a log, in order."""

    def query(snapshot: Snapshot) -> list[tuple[int, str]]:
        rows = snapshot.execute(
            sa.select(events.c.seq, events.c.data)
            .where(events.c.conversation == conversation)
            .order_by(events.c.seq)
        )
        return [(row.seq, row.data) for row in rows]

    return query


class StoreCase(ABC):
    """The hook of StoreContract: implement `open`. Every test has a database of its own."""

    pytestmark = pytest.mark.anyio

    @abstractmethod
    async def open(self, metrics: Metrics, *, pending_writes: int = 10_000, batch: int = 256) -> Store:
        """A new store on the test's database, not started. With the same one each time in a test."""

    @pytest.fixture
    def metrics(self) -> Metrics:
        return Metrics()

    @pytest.fixture
    def durable(self) -> list[Logged]:
        """What `committed` was given."""
        return []

    @pytest.fixture
    async def store(self, metrics: Metrics, durable: list[Logged]) -> AsyncIterator[Store]:
        store = await self.open(metrics)
        await store.start(durable.extend, unheard)
        yield store
        await store.stop()


def unheard(channel: str, offset: int) -> None:
    """For `hinted`, where nobody else writes."""
