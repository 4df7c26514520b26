"""How loaded a node is, in four levels, and what it gives up at each. Pure.

The load is the fullest of what is measured: 1.0 is full. A level begins at its threshold and ends a little below it, so
that a load which swings around a threshold does not change the level with each swing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

Word = Literal["normal", "busy", "overloaded", "critical"]
WORDS: tuple[Word, ...] = ("normal", "busy", "overloaded", "critical")
MOST = 2.0
"""The most that one reading counts: a single stall, however long, is forgotten soon."""


class Level(IntEnum):
    NORMAL = 0
    BUSY = 1
    OVERLOADED = 2
    CRITICAL = 3

    @property
    def word(self) -> Word:
        """As metrics, lists and hooks say it."""
        return WORDS[self]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which load (1.0 is full) each level above normal begins, and how far below that it ends."""

    busy: float = 0.70
    overloaded: float = 0.85
    critical: float = 0.95
    hysteresis: float = 0.05

    def reached(self, load: float, eased: float = 0.0) -> Level:
        """The highest level whose threshold, `eased` by so much, `load` has reached."""
        if load >= self.critical - eased:
            return Level.CRITICAL
        if load >= self.overloaded - eased:
            return Level.OVERLOADED
        return Level.BUSY if load >= self.busy - eased else Level.NORMAL

    def next(self, level: Level, load: float) -> Level:
        """The level after `level`, now that the load is `load`: up at once, down only when it is well below."""
        return max(self.reached(load), min(level, self.reached(load, self.hysteresis)))


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured, each as a share of what counts as full."""

    loop: float = 0.0
    cpu: float = 0.0
    memory: float = 0.0
    queues: float = 0.0

    @property
    def load(self) -> float:
        return max(self.loop, self.cpu, self.memory, self.queues)

    @property
    def cause(self) -> str:
        """What is the fullest: `loop`, `cpu`, `memory` or `queues`."""
        return max(("loop", "cpu", "memory", "queues"), key=lambda name: float(getattr(self, name)))


def smoothed(old: float, new: float, elapsed: float, span: float) -> float:
    """The average of a measure over about the last `span` seconds, when `new` (counted as `MOST` at the most) was
    measured for `elapsed` seconds."""
    return old + (min(new, MOST) - old) * -math.expm1(-elapsed / span)


@dataclass(frozen=True, slots=True)
class Shedding:
    """What is given up. Nothing that was acknowledged ever is, nor what would be: each of these is a hint, a limit or
    a refusal.

    `typing` and `receipts` are factors on `chat.typing_interval` and `chat.receipts_interval` (`inf`: not told);
    `presence` seconds for which joins, leaves and presence are gathered, to be told as what has changed in the end;
    `history` the share of `limits.history` that one answer has, and of `limits.page` that one page of a list has, the
    rest being asked for as ever; `anonymous` and `new` whether such sessions are refused.
    """

    typing: float = 1.0
    presence: float = 0.0
    receipts: float = 1.0
    history: float = 1.0
    anonymous: bool = False
    new: bool = False


NOTHING = Shedding()
SHEDDING: dict[Level, Shedding] = {
    Level.NORMAL: NOTHING,
    Level.BUSY: Shedding(typing=3.0, presence=1.0, receipts=4.0),
    Level.OVERLOADED: Shedding(typing=math.inf, presence=5.0, receipts=10.0, history=0.25, anonymous=True),
    Level.CRITICAL: Shedding(
        typing=math.inf, presence=10.0, receipts=20.0, history=0.1, anonymous=True, new=True
    ),
}
"""The one table of what is given up, which the docs show. Each level gives up what the one before it does."""


def lowered(limit: int, share: float) -> int:
    """`limit` for as long as only a `share` of it is given: one at least, where there was any."""
    return limit if share >= 1 else min(limit, max(1, int(limit * share)))
