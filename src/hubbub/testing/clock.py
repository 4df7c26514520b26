"""Time that stands still until a test moves it."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class FakeTimer:
    """One pending callback of a FakeClock, as `call_later` returns it."""

    __slots__ = ("_callback", "when")

    def __init__(self, when: float, callback: Callable[[], object]) -> None:
        self._callback: Callable[[], object] | None = callback
        self.when = when

    @property
    def pending(self) -> bool:
        """Whether it has neither run nor been cancelled."""
        return self._callback is not None

    def cancel(self) -> None:
        self._callback = None

    def run(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class FakeClock:
    """A `hubbub.clock.Clock` that only `advance` moves. Callbacks run inside it, in order of their time.

    `now()` starts at `now` (Unix seconds) and `monotonic()` at 1000 seconds; an exception in a callback comes
    out of `advance`.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._monotonic = 1_000.0
        self._wall = now - self._monotonic
        self._queue: list[tuple[float, int, FakeTimer]] = []
        self._calls = 0

    def now(self) -> float:
        return self._wall + self._monotonic

    def monotonic(self) -> float:
        return self._monotonic

    def call_later(self, delay: float, callback: Callable[[], object]) -> FakeTimer:
        timer = FakeTimer(self._monotonic + max(delay, 0.0), callback)
        self._calls += 1
        heapq.heappush(self._queue, (timer.when, self._calls, timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, running whatever falls due on the way, also what those callbacks schedule.

        While a callback runs, the clock shows the time that it was due.
        """
        if seconds < 0:
            raise ValueError("monotonic time does not step back; use step_wall for the wall clock")
        until = self._monotonic + seconds
        while self._queue and self._queue[0][0] <= until:
            when, _, timer = heapq.heappop(self._queue)
            self._monotonic = max(self._monotonic, when)
            timer.run()
        self._monotonic = max(self._monotonic, until)

    def run_ready(self) -> None:
        """Run what is due now, such as callbacks with a delay of 0: `advance(0)`."""
        self.advance(0.0)

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an operator or NTP does; monotonic time is untouched."""
        self._wall += seconds

    @property
    def pending(self) -> int:
        """How many callbacks are yet to run."""
        return sum(timer.pending for _, _, timer in self._queue)
