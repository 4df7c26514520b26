"""Time that a test moves, for a server on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hubbub.clock import Timer
from hubbub.testing import FakeClock


class HeldClock:
    """A `hubbub.clock.Clock` that stands still but for `advance` and `stall`: what is late is late because a test says
    so, however busy the machine is. Only what is to be done in the next turn of the loop is done without them.
    """

    def __init__(self) -> None:
        self._time = _Time()
        self.now = self._time.now
        self.monotonic = self._time.monotonic
        self.advance = self._time.advance
        self.stall = self._time.stall

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        if delay > 0:
            return self._time.call_later(delay, callback)
        return asyncio.get_running_loop().call_soon(callback)


class _Time(FakeClock):
    def stall(self, seconds: float) -> None:
        """Move on by `seconds` in one step, as time does while the loop is blocked: timers run at the end of it."""
        self._monotonic += seconds
        self.run_ready()
