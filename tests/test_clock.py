from __future__ import annotations

import time

import anyio
import pytest

from hubbub.clock import Clock, SystemClock

pytestmark = pytest.mark.anyio


def test_tells_the_machines_time() -> None:
    clock: Clock = SystemClock()
    assert time.time() - 60 < clock.now() < time.time() + 60
    before = time.monotonic()
    assert before <= clock.monotonic() <= time.monotonic()


@pytest.mark.parametrize("delay", [-1.0, 0.0, 0.001])
async def test_calls_later_and_once(delay: float) -> None:
    calls, called = list[str](), anyio.Event()
    clock: Clock = SystemClock()
    cancelled = clock.call_later(delay, lambda: calls.append("cancelled"))
    clock.call_later(delay, lambda: calls.append("first"))
    clock.call_later(delay, called.set)
    assert calls == []
    cancelled.cancel()
    with anyio.fail_after(10):
        await called.wait()
    assert calls == ["first"]
