"""Several nodes on one PostgreSQL: what one writes the others hear of, and no sync token passes over anything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from zlib import crc32

import pytest
import sqlalchemy as sa
from tests.storage.postgres_case import Node, running
from tests.waiting import until

from hubbub.storage.base import Action, Snapshot, Transaction
from hubbub.storage.tables import conversations, users
from hubbub.testing.contracts.store_case import APPEND, STAMP, user_row
from hubbub.testing.postgres import execute

pytestmark = pytest.mark.anyio


KILL_LISTENERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND (query LIKE 'LISTEN%' OR query LIKE '%pg_notify%')"
)


def everything(snapshot: Snapshot) -> tuple[int, dict[str, int]]:
    rows = snapshot.execute(sa.select(users.c.id, users.c.changed)).all()
    return snapshot.horizon, {row.id: row.changed for row in rows}


async def test_what_one_writes_the_other_hears_of_and_the_writer_does_not(postgres_url: str) -> None:
    async with running(postgres_url) as one, running(postgres_url) as other:
        assert one.store.notices is not None
        assert other.store.notices is not None
        await one.store.notices.listening.wait()
        await other.store.notices.listening.wait()
        assert await one.store.write(APPEND, ("a", 1)) == 1
        await until(lambda: ("a", 1) in other.hints)
        assert await other.store.write(APPEND, ("b", 1)) == 1
        await until(lambda: ("b", 1) in one.hints)
        assert one.hints == [("b", 1)]
        assert other.hints == [("a", 1)]
        assert one.store.epoch == other.store.epoch


async def test_nobody_is_told_without_notify(postgres_url: str) -> None:
    async with running(postgres_url, notify=False) as one, running(postgres_url) as other:
        assert one.store.notices is None
        assert other.store.notices is not None
        await other.store.notices.listening.wait()
        await one.store.write(APPEND, ("a", 1))
        await other.store.write(STAMP, "probe")
        assert other.hints == []


async def test_who_was_deaf_is_told_that_it_may_have_missed_something(postgres_url: str) -> None:
    async with running(postgres_url) as one, running(postgres_url) as other:
        assert other.store.notices is not None
        await other.store.notices.listening.wait()
        await asyncio.to_thread(execute, postgres_url, KILL_LISTENERS)
        await until(lambda: ("", 0) in other.hints)
        await until(other.store.notices.listening.is_set)
        other.hints.clear()
        await one.store.write(APPEND, ("a", 1))
        await until(lambda: ("a", 1) in other.hints or ("", 0) in other.hints)


async def test_what_a_snapshot_does_not_show_has_changed_since_its_horizon(postgres_url: str) -> None:
    """Of two transactions the one that began first ends last: a token by the newest stamp seen would pass over it."""
    async with running(postgres_url) as node:
        await node.store.write(STAMP, "before")
        begun, go_on = asyncio.Event(), asyncio.Event()

        def early(tx: Transaction, items: Sequence[None]) -> list[int]:
            # In a savepoint, whose own number is greater than its transaction's.
            with tx.connection.begin_nested():
                tx.execute(sa.insert(users).values(**user_row("early", tx.stamp)))
            begun.set()
            while not go_on.is_set():
                tx.execute(sa.text("SELECT pg_sleep(0.01)"))
            return [tx.stamp]

        first = node.store.write(Action("early", early), None, "lane0")
        await begun.wait()
        lane = next(f"lane{n}" for n in range(9) if other_line(f"lane{n}"))
        late = await node.store.write(STAMP, "late", lane)
        horizon, seen = await node.store.read(everything)
        assert set(seen) == {"before", "late"}
        go_on.set()
        stamp = await first
        assert stamp < late
        assert horizon <= stamp
        _, after = await node.store.read(everything)
        assert {name for name, changed in after.items() if changed >= horizon} >= {"early", "late"}


def other_line(lane: str) -> bool:
    return crc32(lane.encode()) % 2 != crc32(b"lane0") % 2


def since(token: int, snapshot: Snapshot) -> tuple[int, set[str]]:
    rows = snapshot.execute(sa.select(users.c.id).where(users.c.changed >= token))
    return snapshot.horizon, set(rows.scalars())


async def test_tokens_miss_nothing_under_load(postgres_url: str) -> None:
    """A reader that goes on from each horizon to the next sees every change that two nodes make."""
    async with running(postgres_url, writers=3) as one, running(postgres_url, writers=3) as other:
        names = [f"u{n}" for n in range(120)]

        async def follow(done: asyncio.Event) -> set[str]:
            token, found = 0, set()
            while True:
                last = done.is_set()
                token, new = await one.store.read(partial(since, token))
                found |= new
                if last:
                    return found
                await asyncio.sleep(0)

        done = asyncio.Event()
        following = asyncio.create_task(follow(done))
        async with asyncio.TaskGroup() as group:
            for place, name in enumerate(names):
                node = (one, other)[place % 2]
                group.create_task(touch(node, name))
                if place % 7 == 0:
                    await asyncio.sleep(0.005)
        done.set()
        assert await following == set(names)


async def touch(node: Node, name: str) -> None:
    await node.store.write(STAMP, name, name)


LOCKED = sa.select(conversations.c.head).where(conversations.c.id == "c").with_for_update()


def make(tx: Transaction, items: Sequence[str]) -> list[str]:
    for name in items:
        values: dict[str, object] = {column.name: 0 for column in conversations.c if not column.nullable}
        values |= {"id": name, "kind": "group", "history": "all", "permissions": "{}", "closed": False}
        tx.execute(sa.insert(conversations).values(**values))
    return list(items)


def append(tx: Transaction, items: Sequence[int]) -> list[int]:
    """As operations of the chat do: the conversation's row is locked, and gives the numbers."""
    head = tx.execute(LOCKED).scalar_one()
    tx.execute(sa.update(conversations).values(head=head + len(items)))
    return list(range(head + 1, head + 1 + len(items)))


async def test_two_nodes_write_one_conversation_without_a_gap(postgres_url: str) -> None:
    async with running(postgres_url, batch=8) as one, running(postgres_url, batch=8) as other:
        assert await one.store.write(Action("make", make), "c") == "c"
        action = Action("append", append)
        writes = [(one, other)[n % 2].store.write(action, n, f"lane{n % 5}") for n in range(200)]
        assert sorted(await asyncio.gather(*writes)) == list(range(1, 201))
