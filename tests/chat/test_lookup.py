from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tests.chat.world import World

from hubbub.chat.lookup import lookup
from hubbub.storage import bulk
from hubbub.storage.base import Action, Transaction
from hubbub.storage.tables import hidden, reactions

pytestmark = pytest.mark.anyio

NAMES = ("conversation", "user", "seq")


async def looked_up(chat: World, there: list[bulk.Row], wanted: list[bulk.Row]) -> list[tuple[Any, ...]]:
    def run(tx: Transaction, items: Sequence[None]) -> list[list[tuple[Any, ...]]]:
        bulk.insert(tx, hidden, NAMES, there)
        return [sorted(tuple(row) for row in lookup(tx, hidden, NAMES, NAMES, wanted))]

    return await chat.store.write(Action("look", run), None)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 8, 100, 20_000])
async def test_what_is_there_is_found(chat: World, count: int) -> None:
    """However many are asked for: 20,000 rows of three are more than SQLite takes in one statement."""
    there: list[bulk.Row] = [("c", f"u\"{n}'é", n) for n in range(0, count, 2)]
    wanted: list[bulk.Row] = [("c", f"u\"{n}'é", n) for n in range(count)]
    assert await looked_up(chat, there, wanted) == sorted(there)


async def test_null_is_equal_to_nothing(chat: World) -> None:
    assert await looked_up(chat, [("c", "u", 1)], [("c", None, 1), ("c", "u", None)]) == []


async def test_by_a_part_of_the_key_all_are_found(chat: World) -> None:
    def run(tx: Transaction, items: Sequence[None]) -> list[list[str]]:
        columns = ("conversation", "message", "name", "user", "time")
        bulk.insert(tx, reactions, columns, [("c", n % 2, "👍", f"u{n}", 1.0) for n in range(6)])
        found = lookup(tx, reactions, ("user",), ("conversation", "message"), [("c", 1), ("d", 1)])
        return [sorted(user for (user,) in found)]

    assert await chat.store.write(Action("look", run), None) == ["u1", "u3", "u5"]
