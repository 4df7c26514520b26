"""Rate limits as GCRA: a token bucket whose whole state is one number."""

from __future__ import annotations


class Rate:
    """`rate` events a second, `burst` at once. A rate of 0 allows everything.

    The state of one client is its "theoretical arrival time": pass the old one in, keep the new one.
    """

    __slots__ = ("interval", "tolerance")

    def __init__(self, rate: float, burst: int) -> None:
        self.interval = 1 / rate if rate > 0 else 0.0
        self.tolerance = self.interval * max(burst - 1, 0)

    def take(self, arrival: float, now: float) -> float:
        """The new state; negative when the event is over the limit, minus the seconds to wait."""
        if arrival < now:
            arrival = now
        wait = arrival - self.tolerance - now
        return -wait if wait > 1e-9 else arrival + self.interval
