"""Processor time: what a message costs the server, by thread and in the kernel, and the database."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

TICK = 1 / os.sysconf("SC_CLK_TCK")


class Used(NamedTuple):
    """Seconds."""

    user: float = 0.0
    system: float = 0.0

    @property
    def all(self) -> float:
        return self.user + self.system


def of_process(pid: int) -> Used:
    return _used(Path(f"/proc/{pid}/stat"))


def of_thread(pid: int) -> Used:
    """The main thread of a process: in Python and Node the event loop's."""
    return _used(Path(f"/proc/{pid}/task/{pid}/stat"))


def of_family(pid: int) -> Used:
    """A process and its children, those that have ended included."""
    own = _used(Path(f"/proc/{pid}/stat"), ended=True)
    user, system = own
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            with suppress(OSError):
                used = of_process(int(child))
                user, system = user + used.user, system + used.system
    return Used(user, system)


def _used(stat: Path, ended: bool = False) -> Used:
    fields = [int(field) for field in stat.read_text(encoding="utf-8").rpartition(")")[2].split()[11:15]]
    user, system = fields[0], fields[1]
    if ended:
        user, system = user + fields[2], system + fields[3]
    return Used(user * TICK, system * TICK)


class Effort:
    """Who worked how hard since it was made. Near 1.0, the load generator was the bottleneck itself."""

    def __init__(self, server: int | None, database: int | None) -> None:
        self._server, self._database = server, database
        self._before = self._look()
        self._own = time.process_time()
        self._began = time.perf_counter()

    def _look(self) -> tuple[Used, Used, Used]:
        server = of_process(self._server) if self._server else Used()
        loop = of_thread(self._server) if self._server else Used()
        return server, loop, of_family(self._database) if self._database else Used()

    def figures(self, messages: int) -> dict[str, float]:
        """Shares of a core, and microseconds for each message: `server_each_us` is all of the server, `loop_each_us`
        what of it was in the event loop's thread, `kernel_each_us` what of it was in the kernel."""
        took = time.perf_counter() - self._began
        own = time.process_time() - self._own
        server, loop, database = (
            Used(now.user - before.user, now.system - before.system)
            for now, before in zip(self._look(), self._before, strict=True)
        )
        each = 1e6 / messages if messages else 0.0
        figures = {"load_generator_cpu": own / took}
        if self._server:
            figures |= {
                "server_cpu": server.all / took,
                "server_each_us": server.all * each,
                "loop_each_us": loop.all * each,
                "kernel_each_us": server.system * each,
            }
        if self._database:
            figures |= {"database_cpu": database.all / took, "database_each_us": database.all * each}
        return figures
