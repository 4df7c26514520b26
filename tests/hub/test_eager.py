from __future__ import annotations

import asyncio
import gc

import pytest
from tests.hub.world import settle

from hubbub.hub import eager

pytestmark = pytest.mark.anyio


async def test_what_never_waits_is_done_at_once_without_a_task() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    assert eager.start(work()) is None
    assert done == [1]


async def test_what_waits_goes_on_in_a_task() -> None:
    steps: list[str] = []
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        steps.append("before")
        steps.append(await future)
        await asyncio.sleep(0)
        steps.append("after")

    task = eager.start(work())
    assert task is not None
    assert steps == ["before"]
    future.set_result("value")
    await task
    assert steps == ["before", "value", "after"]


async def test_an_error_before_the_first_wait_is_the_caller_s() -> None:
    async def work() -> None:
        raise ValueError("now")

    with pytest.raises(ValueError, match="now"):
        eager.start(work())


async def test_an_error_after_the_first_wait_is_the_task_s() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise ValueError("later")

    task = eager.start(work())
    assert task is not None
    with pytest.raises(ValueError, match="later"):
        await task


async def test_an_error_of_what_is_awaited_can_be_caught_inside() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    caught: list[str] = []

    async def work() -> None:
        try:
            await future
        except ValueError as error:
            caught.append(str(error))

    task = eager.start(work())
    assert task is not None
    future.set_exception(ValueError("x"))
    await task
    assert caught == ["x"]


async def test_cancelling_the_task_runs_what_must_be_run_at_the_end() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        finally:
            ended.append("finally")

    task = eager.start(work())
    assert task is not None
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cancelled", "finally"]


async def test_a_task_cancelled_before_its_first_turn_still_frees_what_it_holds() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("finally")

    task = eager.start(work())
    assert task is not None
    task.cancel()
    await settle()
    del task
    gc.collect()
    assert ended == ["finally"]


async def test_in_task_gives_a_task_and_a_time_limit() -> None:
    async def where() -> bool:
        return asyncio.current_task() is not outer

    outer = asyncio.current_task()
    assert await eager.in_task(where)

    async def never() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await eager.in_task(never, within=0)
