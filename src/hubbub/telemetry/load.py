"""How loaded this node is: measured once a second, told when its level changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hubbub.clock import Clock, Timer
from hubbub.config.cluster import LoadConfig
from hubbub.telemetry.capacity import Usage, capacity
from hubbub.telemetry.levels import Level, Reading, Thresholds, Word, smoothed
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

log = get_logger("hubbub.load")

INTERVAL = 1.0
LAG_SPAN = 3.0
"""Seconds over which the loop's lag is averaged: one stall is no overload."""


class Uses(Protocol):
    """What the process uses, as shares of what it may."""

    def cpu(self) -> float: ...
    def memory(self) -> float: ...


@dataclass(frozen=True, slots=True)
class LoadChange:
    """The node's level has changed from `before` to `level`: its `load` (1.0 is full) is that of `cause`, which is
    `loop`, `cpu`, `memory` or `queues`."""

    level: Word
    before: Word
    load: float
    cause: str


class Load:
    """`lag` tells how late the loop was since it was asked last, in seconds on an average; `queued` the bytes that wait
    for slow readers; `uses`, if it is given, what the process uses."""

    def __init__(
        self,
        config: LoadConfig,
        clock: Clock,
        metrics: Metrics,
        lag: Callable[[], float],
        queued: Callable[[], int],
        uses: Uses | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._metrics = metrics
        self._lag, self._queued, self._uses = lag, queued, uses
        self._thresholds = Thresholds(config.busy, config.overloaded, config.critical, config.hysteresis)
        self._measured = 0.0
        self._timer: Timer | None = None
        self.reading = Reading()
        self.level = Level.NORMAL
        self.changed: list[Callable[[LoadChange], object]] = []
        """Told of each change of the level, after `level` and `reading` have been set."""

    def start(self) -> None:
        if self._uses is None:
            self._uses = Usage(capacity(self._config))
        self._measured = self._clock.monotonic()
        self._timer = self._clock.call_later(INTERVAL, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = self._clock.call_later(INTERVAL, self._look)
        assert self._uses is not None
        now, config = self._clock.monotonic(), self._config
        elapsed, self._measured = now - self._measured, now
        loop = smoothed(self.reading.loop, self._lag() / config.loop_lag, elapsed, LAG_SPAN)
        queues = self._queued() / config.queue_bytes
        self.take(Reading(loop, self._uses.cpu(), self._uses.memory(), queues))

    def take(self, reading: Reading) -> None:
        """This is what was measured."""
        self.reading = reading
        before, self.level = self.level, self._thresholds.next(self.level, reading.load)
        metrics = self._metrics
        for measure in ("loop", "cpu", "memory", "queues"):
            metrics.load[measure] = round(getattr(reading, measure), 4)
        metrics.load_level = int(self.level)
        if self.level is before:
            return
        change = LoadChange(self.level.word, before.word, round(reading.load, 4), reading.cause)
        say = log.warning if self.level > before else log.info
        say("load", now=change.level, before=change.before, load=change.load, cause=change.cause)
        for changed in self.changed:
            try:
                changed(change)
            except Exception as error:  # one who is told must not end the measuring
                log.error("who was told of the load failed", exc_info=error)
