"""What a store promises of reading: one moment each, never behind what was acknowledged."""

from __future__ import annotations

import asyncio
import random

import pytest
import sqlalchemy as sa

from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Snapshot, Store, Transaction, each
from hubbub.storage.tables import users
from hubbub.testing.contracts.store_case import APPEND, STAMP, StoreCase, logged, user_row


def _changed(snapshot: Snapshot) -> tuple[int, dict[str, int]]:
    rows = snapshot.execute(sa.select(users.c.id, users.c.changed)).all()
    return snapshot.horizon, {row.id: row.changed for row in rows}


class ReadingContract(StoreCase):
    """Snapshots and horizons."""

    async def test_a_read_sees_what_was_acknowledged_before_it(self, store: Store) -> None:
        for number in range(1, 40):
            await store.write(APPEND, ("log", number))
            assert len(await store.read(logged("log"))) == number

    async def test_a_read_is_of_one_moment(self, store: Store) -> None:
        def move(tx: Transaction, item: int) -> None:
            for name, sign in (("a", 1), ("b", -1)):
                tx.execute(sa.update(users).where(users.c.id == name).values(head=users.c.head + sign * item))

        def create(tx: Transaction, name: str) -> None:
            tx.execute(sa.insert(users).values(**user_row(name, tx.stamp)))

        def both(snapshot: Snapshot) -> int:
            return sum(
                snapshot.execute(sa.select(users.c.head).where(users.c.id == name)).scalar_one()
                for name in ("a", "b")
            )

        made, moves = each("create", create), each("move", move)
        await asyncio.gather(store.write(made, "a"), store.write(made, "b"))

        async def writing() -> None:
            for number in range(60):
                await store.write(moves, number)

        async def reading() -> list[int]:
            return [await store.read(both) for _ in range(60)]

        _, one, other = await asyncio.gather(writing(), reading(), reading())
        assert set(one + other) == {0}

    async def test_what_a_snapshot_does_not_show_has_changed_at_its_horizon_or_later(
        self, store: Store
    ) -> None:
        choose = random.Random(4)
        views: list[tuple[int, dict[str, int]]] = []

        async def writing(number: int) -> None:
            for _ in range(25):
                name = f"user{choose.randrange(40)}"
                await store.write(STAMP, name, name)

        async def reading() -> None:
            views.extend([await store.read(_changed) for _ in range(25)])

        await asyncio.gather(*[writing(number) for number in range(8)], reading(), reading())
        _, final = await store.read(_changed)
        for horizon, seen in views:
            for name, changed in final.items():
                if seen.get(name) != changed:
                    assert changed >= horizon
        assert any(seen != final for _, seen in views)

    async def test_a_horizon_follows_the_writes(self, store: Store) -> None:
        before, _ = await store.read(_changed)
        stamp = await store.write(STAMP, "a")
        assert before <= stamp
        # On PostgreSQL whoever else writes in the cluster, into whichever database, holds it back until then.
        while (await store.read(_changed))[0] <= stamp:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.01)

    async def test_a_query_cannot_write(self, store: Store) -> None:
        def query(snapshot: Snapshot) -> None:
            snapshot.execute(sa.insert(users).values(**user_row("a", 1)))

        with pytest.raises(sa.exc.DBAPIError):
            await store.read(query)
        _, seen = await store.read(_changed)
        assert seen == {}

    async def test_what_a_query_raises_is_raised_and_the_next_one_reads(self, store: Store) -> None:
        def refuse(snapshot: Snapshot) -> None:
            raise HubbubError(ErrorCode.NOT_FOUND)

        def fail(snapshot: Snapshot) -> None:
            snapshot.execute(sa.text("SELECT :value FROM nowhere"), {"value": "precious"})

        for _ in range(5):
            with pytest.raises(HubbubError) as refused:
                await store.read(refuse)
            assert refused.value.code is ErrorCode.NOT_FOUND
            with pytest.raises(sa.exc.DBAPIError) as failed:
                await store.read(fail)
            assert "precious" not in str(failed.value)  # as it will be logged
        assert await store.read(logged("log")) == []

    async def test_reads_go_on_beside_writes(self, store: Store) -> None:
        writes = [store.write(APPEND, ("log", number)) for number in range(300)]
        lengths = [len(await store.read(logged("log"))) for _ in range(20)]
        await asyncio.gather(*writes)
        assert lengths == sorted(lengths)
        assert len(await store.read(logged("log"))) == 300
