"""What every scenario works with: the options, the target, the connections, messages that tell their age, effort."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hubbub.loadgen.adapters import ADAPTERS
from hubbub.loadgen.pool import Link, Pool
from hubbub.loadgen.target import CHANNELS, Target

Figures = dict[str, float]
Progress = Callable[[str, float], object]
"""Called now and then with what is being done and how much of it is done (0 to 1)."""

QUIET_SECONDS = 10.0
SAMPLED = 20
_STAMP = b'{"t":"'
_STAMP_DIGITS = 16
_WRAP = 10_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """How hard and how long. `seconds` are measured, after `warmup` seconds that are not.

    `rate` is deliveries a second, `group` the subscribers of one channel where there are many channels.
    """

    protocol: str = "hubbub"
    connections: int = 1_000
    in_flight: int = 1
    size: int = 128
    seconds: float = 5.0
    warmup: float = 1.0
    rate: float = 5_000.0
    group: int = 25


class Bench:
    """What a scenario works with: the options, the target, a pool, and someone to tell."""

    def __init__(self, options: Options, target: Target, progress: Progress) -> None:
        self.options = options
        self.target = target
        self.progress = progress
        self.adapter = ADAPTERS[options.protocol]()
        self.pool = Pool(target.url, self.adapter, target.tokens())
        # Names are new in every run, so that no log or presence of an earlier one is met again.
        self.prefix = f"{CHANNELS}:{random.randrange(36**6):x}"
        self._padding = b'","p":"' + b"x" * (options.size - len(_STAMP) - _STAMP_DIGITS - 9) + b'"}'

    def open(self, count: int) -> list[Link]:
        return self.pool.open(count, progress=lambda done: self.progress("connecting", done / count))

    def data(self) -> bytes:
        """JSON of `size` bytes that begins with the time in nanoseconds."""
        return _STAMP + b"%0*d" % (_STAMP_DIGITS, time.perf_counter_ns() % _WRAP) + self._padding

    def subscribe(self, links: Sequence[Link], channel: Callable[[Link], str]) -> None:
        self.progress("subscribing", 0.0)
        self.pool.ask(links, lambda link: self.adapter.subscribe(2, channel(link)))


class Effort:
    """Who worked how hard since it was made: processor time of the server and of the load generator.

    With other work on the machine, time on the clock says little and processor time still says something. A load
    generator near 1.0 was the bottleneck itself.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._server = target.cpu()
        self._own = time.process_time()
        self._began = time.perf_counter()

    def figures(self, work: float) -> Figures:
        """Shares of a core, and the server's processor time for each unit of `work`."""
        took = time.perf_counter() - self._began
        figures = {"load_generator_cpu": (time.process_time() - self._own) / took}
        now = self._target.cpu()
        if now is not None and self._server is not None:
            used = now - self._server
            figures |= {"server_cpu": used / took, "server_each_us": used / work * 1e6 if work else 0.0}
        return figures


def age(payload: bytes) -> float | None:
    """Seconds since the message in `payload` was sent; None when it is not one of ours."""
    at = payload.find(_STAMP)
    if at < 0:
        return None
    at += len(_STAMP)
    return (time.perf_counter_ns() % _WRAP - int(payload[at : at + _STAMP_DIGITS])) / 1e9
