"""One task for all that begin in a turn of the loop."""

from __future__ import annotations

import asyncio
import gc
from contextvars import ContextVar

import pytest
from tests.hub.world import settle

from hubbub.hub.eager import Pump

pytestmark = pytest.mark.anyio
WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


async def test_all_run_in_order_in_the_next_turn_within_one_task() -> None:
    pump = Pump()
    done: list[int] = []
    tasks: set[object] = set()

    async def work(number: int) -> None:
        done.append(number)
        tasks.add(asyncio.current_task())

    for number in range(5):
        pump.run(work(number))
    assert done == []
    await asyncio.sleep(0)
    assert done == [0, 1, 2, 3, 4]
    assert len(tasks) == 1
    assert tasks != {asyncio.current_task()}
    pump.run(work(5))
    await asyncio.sleep(0)
    assert done[-1] == 5


async def test_one_that_waits_keeps_its_task_and_holds_nobody_up() -> None:
    pump = Pump()
    gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    done: list[object] = []

    async def slow() -> None:
        before = asyncio.current_task()
        async with asyncio.timeout(60):
            done.append(await gate)
        done.append(before is asyncio.current_task())

    async def quick(number: int) -> None:
        done.append(number)

    pump.run(quick(1))
    pump.run(slow())
    pump.run(quick(2))
    await settle()
    assert done == [1, 2]
    pump.run(quick(3))
    await settle()
    gate.set_result("late")
    await settle()
    assert done == [1, 2, 3, "late", True]


async def test_a_timeout_within_one_ends_that_one_alone() -> None:
    pump = Pump()
    done: list[str] = []
    over = asyncio.Event()

    async def limited() -> None:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            done.append("timeout")

    async def patient() -> None:
        await asyncio.sleep(0.05)
        done.append("patient")
        over.set()

    pump.run(limited())
    pump.run(patient())
    await over.wait()
    assert done == ["timeout", "patient"]


async def test_none_sees_what_another_put_into_its_context() -> None:
    pump = Pump()
    seen: list[str] = []

    async def work(name: str, *, wait: bool) -> None:
        seen.append(WHO.get())
        WHO.set(name)
        if wait:
            await asyncio.sleep(0)
        seen.append(WHO.get())

    pump.run(work("ann", wait=False))
    pump.run(work("bob", wait=True))
    pump.run(work("cid", wait=False))
    await settle()
    assert sorted(seen) == sorted(["nobody", "ann", "nobody", "bob", "nobody", "cid"])


async def test_one_that_raises_is_logged_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    pump = Pump()
    done: list[int] = []

    async def fail() -> None:
        raise ValueError("no")

    async def work() -> None:
        done.append(1)

    pump.run(fail())
    pump.run(work())
    await settle()
    pump.run(work())
    await settle()
    assert done == [1, 1]
    assert "background work failed" in caplog.text


async def test_an_exception_into_one_that_waits_reaches_it() -> None:
    pump = Pump()
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    caught: list[str] = []

    async def work() -> None:
        try:
            await gate
        except ValueError as error:
            caught.append(str(error))

    pump.run(work())
    await settle()
    gate.set_exception(ValueError("broken"))
    await settle()
    assert caught == ["broken"]


async def test_stop_ends_what_runs_and_forgets_what_has_not_begun() -> None:
    pump = Pump()
    done: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            done.append("cancelled")
            raise

    async def never() -> None:
        done.append("begun")

    pump.run(waits())
    await settle()
    pump.run(never())
    await pump.stop()
    await settle()
    assert done == ["cancelled"]


def test_a_loop_that_ends_leaves_no_complaints() -> None:
    pumps: list[Pump] = []

    async def main() -> None:
        pump = Pump()
        pumps.append(pump)
        pump.run(asyncio.Event().wait())  # type: ignore[arg-type]
        await asyncio.sleep(0)
        pump.run(asyncio.sleep(0))

    with asyncio.Runner() as runner:
        runner.run(main())
    pumps.clear()
    gc.collect()  # warnings are errors
