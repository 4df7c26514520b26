"""Coroutines that nobody waits for, run without a task for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from hubbub.errors import HubbubError
from hubbub.telemetry.logging import get_logger

T = TypeVar("T")
log = get_logger("hubbub.broker")


def run(
    coroutine: Coroutine[Any, Any, T],
    done: Callable[[T], object] | None = None,
    failed: Callable[[], object] | None = None,
) -> None:
    """Run it as far as it comes now, and on whenever what it waits for is there.

    `done` gets its result; `failed` is told if there is none. HubbubErrors are counted elsewhere, the rest is logged.
    """
    try:
        waiting = coroutine.send(None)
    except StopIteration as stop:
        if done is not None:
            done(stop.value)
        return
    except HubbubError:
        pass
    except Exception:
        log.exception("what nobody waits for failed")
    else:
        if waiting is None:  # it only let others go first
            asyncio.get_running_loop().call_soon(run, coroutine, done, failed)
        else:
            waiting.add_done_callback(lambda _: run(coroutine, done, failed))
        return
    if failed is not None:
        failed()
