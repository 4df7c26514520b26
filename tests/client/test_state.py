from __future__ import annotations

import asyncio
import gc

import pytest

from hubbub.client.state import KEPT, State, Watched

pytestmark = pytest.mark.anyio


async def test_whoever_watches_gets_all_changes_in_order_and_the_last_ends_it() -> None:
    watched = Watched(1)
    changes = watched.changes(lambda value: value == 9)
    for value in (2, 2, 3, 9, 10):
        watched.set(value)
    assert [value async for value in changes] == [1, 2, 3, 9]
    del changes
    gc.collect()
    assert not watched._watchers


async def test_one_can_wait_for_a_value() -> None:
    watched = Watched("a")
    assert await watched.until(lambda value: value == "a") == "a"
    task = asyncio.create_task(watched.until(lambda value: value == "c"))
    await asyncio.sleep(0)
    watched.set("b")
    watched.set("c")
    assert await asyncio.wait_for(task, 5) == "c"


async def test_who_does_not_look_costs_no_more_than_so_much() -> None:
    watched = Watched(0)
    changes = watched.changes()
    await anext(changes)
    for value in range(1, KEPT * 2):
        watched.set(value)
    assert await anext(changes) == KEPT


@pytest.mark.parametrize(("status", "ended"), [("failed", True), ("closed", True), ("recovering", False)])
def test_which_states_are_the_last(status: str, ended: bool) -> None:
    assert State(status).ended is ended  # type: ignore[arg-type]
