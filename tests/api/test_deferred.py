from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from hubbub.api.deferred import AsgiApp, Deferred

pytestmark = pytest.mark.anyio


class Maker:
    """Makes an application that notes its calls; the first `failures` attempts fail."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.threads: list[int] = []
        self.calls: list[Any] = []

    def __call__(self) -> AsgiApp:
        self.threads.append(threading.get_ident())
        if len(self.threads) <= self.failures:
            raise ImportError("not there")

        async def app(scope: Any, receive: Any, send: Any) -> None:
            self.calls.append(scope)

        return app


async def nothing(*_: object) -> Any: ...


async def test_it_is_made_once_in_a_thread_however_many_ask() -> None:
    maker = Maker()
    deferred = Deferred(maker)
    assert maker.threads == []
    await asyncio.gather(deferred.warm(), *(deferred({"n": n}, nothing, nothing) for n in range(5)))
    assert len(maker.threads) == 1
    assert maker.threads[0] != threading.get_ident()
    assert sorted(scope["n"] for scope in maker.calls) == [0, 1, 2, 3, 4]


async def test_one_who_gives_up_does_not_stop_it_for_the_others() -> None:
    maker = Maker()
    deferred = Deferred(maker)
    impatient = asyncio.ensure_future(deferred({"n": 1}, nothing, nothing))
    patient = asyncio.ensure_future(deferred({"n": 2}, nothing, nothing))
    await asyncio.sleep(0)
    impatient.cancel()
    await patient
    assert [scope["n"] for scope in maker.calls] == [2]


async def test_what_failed_is_tried_again() -> None:
    deferred = Deferred(maker := Maker(failures=1))
    with pytest.raises(ImportError):
        await deferred({}, nothing, nothing)
    await deferred({}, nothing, nothing)
    assert len(maker.calls) == 1


def test_a_server_starts_without_its_framework() -> None:
    code = "import hubbub.app, sys; sys.exit('litestar' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
