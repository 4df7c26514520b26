from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hubbub.broker import unawaited
from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio


async def after(*waiting: Any, raises: Exception | None = None) -> str:
    result = ""
    for each in waiting:
        result += str(await each)
    if raises is not None:
        raise raises
    return result


def recorded() -> tuple[list[str], Callable[[str], None], Callable[[], None]]:
    outcomes: list[str] = []
    return outcomes, outcomes.append, lambda: outcomes.append("failed")


async def test_what_does_not_wait_is_done_at_once() -> None:
    outcomes, done, failed = recorded()
    unawaited.run(after(), done, failed)
    assert outcomes == [""]


async def test_what_waits_is_done_when_it_can_be_and_in_no_task_of_its_own() -> None:
    outcomes, done, failed = recorded()
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in range(3)]
    tasks = len(asyncio.all_tasks())
    unawaited.run(after(*futures, asyncio.sleep(0, "!")), done, failed)
    assert len(asyncio.all_tasks()) == tasks
    for number, future in enumerate(futures):
        assert outcomes == []
        future.set_result(number)
        await asyncio.sleep(0)
    while not outcomes:  # noqa: ASYNC110 it is told by a call
        await asyncio.sleep(0)
    assert outcomes == ["012!"]


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("error", [HubbubError(ErrorCode.BROKER_UNAVAILABLE), RuntimeError("ours")])
async def test_what_fails_is_told_and_what_is_unexpected_logged(
    error: Exception, waits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes, done, failed = recorded()
    unawaited.run(after(*([asyncio.sleep(0)] if waits else []), raises=error), done, failed)
    while not outcomes:  # noqa: ASYNC110 it is told by a call
        await asyncio.sleep(0)
    assert outcomes == ["failed"]
    assert len(caplog.records) == isinstance(error, RuntimeError)


async def test_what_it_waits_for_may_fail() -> None:
    outcomes, done, failed = recorded()
    future = asyncio.get_running_loop().create_future()
    unawaited.run(after(future), done, failed)
    future.set_exception(HubbubError(ErrorCode.BROKER_UNAVAILABLE))
    await asyncio.sleep(0)
    assert outcomes == ["failed"]


async def test_nobody_needs_to_be_told() -> None:
    unawaited.run(after())
    unawaited.run(after(raises=HubbubError(ErrorCode.TIMEOUT)))
