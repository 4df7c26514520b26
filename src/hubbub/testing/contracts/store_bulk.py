"""What `hubbub.storage.bulk` promises on every store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import pytest

from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.base import Snapshot, Store, Transaction, each
from hubbub.storage.tables import conversations, followers, keys, messages
from hubbub.testing.contracts.store_case import StoreCase

R = TypeVar("R")

KEYS = ("scope", "key", "digest", "result", "time")
FOLLOWERS = ("conversation", "thread", "user", "following", "read", "read_number", "changed")
MESSAGES = ("conversation", "seq", "kind", "parts", "created", "version", "replies", "edited", "sender")
CONVERSATIONS = (
    *("id", "kind", "name", "history", "permissions", "closed", "head", "messages", "members"),
    *("last_activity", "created", "changed"),
)


def key_rows(count: int, *, result: str = "{}", begin: int = 0) -> list[tuple[object, ...]]:
    return [("scope", f"key{n:05}", f"d{n}", result, n / 7) for n in range(begin, begin + count)]


def insert_messages(tx: Transaction, rows: Sequence[bulk.Row]) -> list[int]:
    return bulk.insert_identified(tx, messages, MESSAGES, rows)


def read_messages(snapshot: Snapshot, ids: Sequence[int]) -> list[bulk.Row]:
    return bulk.select(snapshot, messages, ("id", "seq"), ("id",), [(number,) for number in ids])


async def run(store: Store, function: Callable[[Transaction], R]) -> R:
    return await store.write(each("bulk", lambda tx, _: function(tx)), None)


class BulkContract(StoreCase):
    """Statements of many rows."""

    @pytest.mark.parametrize("count", [0, 1, 2, 3, 255, 256, 257, 1000])
    async def test_any_number_of_rows_is_inserted_found_and_deleted(self, store: Store, count: int) -> None:
        rows = key_rows(count)
        assert await run(store, lambda tx: bulk.insert(tx, keys, KEYS, rows)) == count
        pairs = [row[:2] for row in rows]
        wanted = [*pairs, ("scope", "other"), ("other", "key00000")]
        found = await store.read(lambda s: bulk.select(s, keys, KEYS, ("scope", "key"), wanted))
        assert sorted(found) == rows
        assert await run(store, lambda tx: bulk.delete(tx, keys, ("scope", "key"), wanted[1:])) == max(
            0, count - 1
        )
        left = await store.read(lambda s: bulk.select(s, keys, ("key",), ("scope",), [("scope",)]))
        assert left == [("key00000",)][:count]

    async def test_values_come_back_as_they_went_in(self, store: Store) -> None:
        times = [0.1, 1_760_000_000.1234567, 5e-324, 1.7976931348623157e308, -0.3, 9e15]
        texts = ["", "é", "\U0001f41d", '{"a": "\\u0000"}', "'\"\\", "$1 ? :x %s", "x" * 100_000]
        rows = [("scope", f"t{n}", texts[n % 7], texts[-n % 7], times[n % 6]) for n in range(42)]
        await run(store, lambda tx: bulk.insert(tx, keys, KEYS, rows))
        found = await store.read(lambda s: bulk.select(s, keys, KEYS, ("scope",), [("scope",)]))
        assert sorted(found) == sorted(rows)

    async def test_truths_numbers_and_nulls(self, store: Store) -> None:
        rows = []
        for n in range(9):
            name = None if n % 2 else "name"
            rows.append((f"c{n}", "group", name, "all", "{}", bool(n % 3), 2**53 + n, n, 0, 0.0, 0.0, 2**62))
        await run(store, lambda tx: bulk.insert(tx, conversations, CONVERSATIONS, rows))
        wanted = [(row[0],) for row in rows]
        found = await store.read(lambda s: bulk.select(s, conversations, CONVERSATIONS, ("id",), wanted))
        assert sorted(found, key=lambda row: str(row[0])) == rows
        assert all(isinstance(row[5], bool) for row in found)

    @pytest.mark.parametrize("count", [0, 1, 37, 300])
    async def test_ids_are_given_in_the_order_of_the_rows(self, store: Store, count: int) -> None:
        rows = [("c", n, "user", "[]", 0.0, 1, 0, None, f"u{n}") for n in range(count)][::-1]
        for turn in ("one", "two"):
            mine = [(turn, *row[1:]) for row in rows]
            ids = await run(store, partial(insert_messages, rows=mine))
            assert ids == sorted(set(ids))
            assert len(ids) == count
            found = await store.read(partial(read_messages, ids=ids))
            assert [seq for _, seq in sorted(found)] == [row[1] for row in rows]

    async def test_rows_that_are_there_are_left_or_updated(self, store: Store) -> None:
        await run(store, lambda tx: bulk.insert(tx, keys, KEYS, key_rows(10)))
        news = key_rows(10, result="new", begin=5)
        assert await run(store, lambda tx: bulk.insert(tx, keys, KEYS, news, ignore=True)) == 5
        await run(store, lambda tx: bulk.insert(tx, keys, KEYS, key_rows(4, result="up"), update=("result",)))
        found = await store.read(lambda s: bulk.select(s, keys, ("key", "result"), ("scope",), [("scope",)]))
        assert [result for _, result in sorted(found)] == ["up"] * 4 + ["{}"] * 6 + ["new"] * 5

    async def test_a_row_that_is_there_is_a_fault_otherwise(self, store: Store) -> None:
        await run(store, lambda tx: bulk.insert(tx, keys, KEYS, key_rows(3)))
        with pytest.raises(HubbubError) as refused:
            await run(store, lambda tx: bulk.insert(tx, keys, KEYS, key_rows(5)))
        assert refused.value.code is ErrorCode.INTERNAL
        assert len(await store.read(lambda s: bulk.select(s, keys, KEYS, ("scope",), [("scope",)]))) == 3

    async def test_columns_are_set_where_the_keys_are(self, store: Store) -> None:
        rows = [("c", n, f"u{n % 2}", True, 0, 0, 1) for n in range(300)]
        await run(store, lambda tx: bulk.insert(tx, followers, FOLLOWERS, rows))
        news = [("c", n, "u0", False, n * 10, 7) for n in range(300)]
        by, columns = ("conversation", "thread", "user"), ("following", "read", "changed")
        assert await run(store, lambda tx: bulk.update(tx, followers, by, columns, news)) == 150
        found = await store.read(lambda s: bulk.select(s, followers, FOLLOWERS, ("conversation",), [("c",)]))
        assert sorted(found) == [
            ("c", n, "u1", True, 0, 0, 1) if n % 2 else ("c", n, "u0", False, n * 10, 0, 7)
            for n in range(300)
        ]
