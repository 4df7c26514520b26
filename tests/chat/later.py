"""Letting a World's time pass, until what is due then is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from tests.chat import checks
from tests.chat.world import World

from hubbub.chat.agenda import ITEM, LOOK, Item
from hubbub.chat.ledger import View
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import agenda


async def items(chat: World, *kinds: str) -> list[Item]:
    """What is on the agenda, of all kinds or these."""

    def query(view: View) -> list[Item]:
        found = [Item(*row) for row in view.execute(sa.select(*ITEM).order_by(agenda.c.due, agenda.c.id))]
        return [item for item in found if not kinds or item.kind in kinds]

    return await chat.read(query)


async def pass_time(chat: World, seconds: float, *, step: float = 60.0) -> None:
    """Let time pass in steps; after each, what is due is done."""
    await quiet(chat)  # a read for which time stands still is not too late
    while seconds > 0:
        chat.clock.advance(min(step, seconds))
        seconds -= step
        await quiet(chat)


async def leap(chat: World, seconds: float) -> None:
    """Let days pass: by the clock on the wall alone, or there were millions of timers to run."""
    await quiet(chat)
    chat.clock.step_wall(seconds)
    chat.clock.advance(LOOK + 1.0)
    await quiet(chat)


async def quiet(*nodes: World) -> None:
    """Return when nothing is due."""
    async with asyncio.timeout(60.0):
        while await _busy(nodes):  # noqa: ASYNC110 (nothing tells us)
            await asyncio.sleep(0.002)


async def _busy(nodes: tuple[World, ...]) -> bool:
    now = max(node.clock.now() for node in nodes)
    due = any(
        item.next <= now for item in await items(nodes[0])
    )  # who was just woken has begun when this is read
    return due or not all(node.chat.agenda.resting for node in nodes)


async def until(chat: World, condition: Callable[[], object]) -> None:
    """Let time pass, a little at a time, until `condition()` is true."""
    async with asyncio.timeout(60.0):
        while not condition():
            if chat.chat.agenda.resting:
                chat.clock.advance(0.25)
            await asyncio.sleep(0.001)


async def refused(chat: World, code: ErrorCode, operation: str, actor: str, /, **params: Any) -> HubbubError:
    """As `World.refused`, of what has a parameter `at`."""
    before = await chat.read(checks.everything)
    with pytest.raises(HubbubError) as failure:
        await chat.do(operation, actor, **params)
    assert failure.value.code == code, failure.value
    assert await chat.read(checks.everything) == before, "something was written"
    return failure.value
