"""What the machine, or the control group that this process is in, gives it: memory and processor; and what it uses.

Files of the kernel are read by `os.pread`: they are made up as they are read, so that nothing blocks the loop.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hubbub.config.cluster import LoadConfig
from hubbub.telemetry.levels import smoothed

GROUPS = Path("/sys/fs/cgroup")
PROCESS = Path("/proc/self")
CPU_SPAN = 10.0
"""Seconds over which the processor's share is averaged: a burst of newcomers is no overload."""
SOONEST = 0.05
"""Seconds that must have passed between two looks at the processor's clock for a share to mean anything."""
SIZE = 65_536


@dataclass(frozen=True, slots=True)
class Capacity:
    """What counts as full: bytes of memory, and processor cores."""

    memory: int
    cores: float


def capacity(config: LoadConfig, *, groups: Path = GROUPS, process: Path = PROCESS) -> Capacity:
    """What the settings say, else the least of what the machine has and its control groups (v1 or v2) allow."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cores = float(len(os.sched_getaffinity(0)))
    for folder in _folders(groups, process):
        for name in ("memory.max", "memory.limit_in_bytes"):
            if (limit := _number(read(folder / name))) is not None:
                memory = min(memory, int(limit))
        if (quota := _quota(folder)) is not None:
            cores = min(cores, quota)
    return Capacity(config.memory_bytes or memory, config.cpu_cores or cores)


def _folders(groups: Path, process: Path) -> Iterator[Path]:
    """The folders of this process's control groups, and of those around them. In a container the group's own folder
    may be what is mounted."""
    for line in read(process / "cgroup").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        for root in [groups / name for name in (controllers, *controllers.split(","))] or [groups]:
            inner = root / path.lstrip("/")
            while inner != root and root in inner.parents:
                yield inner
                inner = inner.parent
            yield root


def _quota(folder: Path) -> float | None:
    """How many cores a group may use: `cpu.max` is "quota period", in v1 they are two files; both in microseconds."""
    quota, _, period = read(folder / "cpu.max").partition(" ")
    if not period:
        quota, period = read(folder / "cpu.cfs_quota_us"), read(folder / "cpu.cfs_period_us")
    allowed, of = _number(quota), _number(period)
    return allowed / of if allowed is not None and of else None


def _number(text: str) -> float | None:
    """None for `max`, `-1` and what is not there."""
    text = text.strip()
    return float(text) if text.isdigit() and int(text) else None


def read(path: Path) -> str:
    """A file of the kernel's; "" if there is none, or not for us."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.pread(descriptor, SIZE, 0).decode("ascii", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


class Usage:
    """What this process uses, as shares of its capacity. By the real clock, whatever time it is for the server."""

    def __init__(
        self,
        full: Capacity,
        *,
        now: Callable[[], float] = time.monotonic,
        loop: Callable[[], float] = time.thread_time,
        process: Callable[[], float] = time.process_time,
    ) -> None:
        """`loop` and `process` tell the seconds of processor that this thread, and all threads, have used."""
        self._full = full
        self._now, self._loop, self._process = now, loop, process
        self._last = now(), loop(), process()
        self._cpu = 0.0

    def cpu(self) -> float:
        """The fuller of two: the loop's thread of its one core, and all threads of all cores there are; averaged over
        `CPU_SPAN`. To be called on the loop's thread."""
        last, loop, process = self._last
        now = self._now()
        elapsed = now - last
        if elapsed < SOONEST:
            return self._cpu
        self._last = now, self._loop(), self._process()
        cores = self._full.cores
        share = max(
            (self._last[1] - loop) / elapsed / min(1.0, cores), (self._last[2] - process) / elapsed / cores
        )
        self._cpu = smoothed(self._cpu, share, elapsed, CPU_SPAN)
        return self._cpu

    def memory(self) -> float:
        """Resident memory of memory."""
        fields = read(PROCESS / "statm").split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / self._full.memory if len(fields) > 1 else 0.0
