"""`hubbub serve --workers N`: processes that share a port, and the one that looks after them.

Each worker is a node of its own. The kernel spreads connections among them (SO_REUSEPORT); what clients of different
workers say to each other goes by the broker, and requests of a session go to the worker that has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from hubbub.cli.output import FAILED, Problem
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.config import Config

log = get_logger("hubbub.workers")

STEADY = 30.0
"""Seconds after which a worker that ends has not failed at once again."""
BACKOFF = (0.2, 10.0)
READY_WITHIN = 60.0
"""Seconds in which a new worker must listen before the one that it replaces goes."""
PARENT_DEATH = 1  # PR_SET_PDEATHSIG, prctl(2)


class Process(Protocol):
    """As much of `asyncio.subprocess.Process` as is used."""

    @property
    def pid(self) -> int: ...
    async def wait(self) -> int: ...
    def send_signal(self, signal: int) -> None: ...


class Worker:
    """A process, and whether it listens: `listening` is False if it ended before that."""

    def __init__(self, process: Process, listening: asyncio.Future[bool]) -> None:
        self.process = process
        self.listening = listening

    def send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)


Spawn = Callable[[int], Awaitable[Worker]]


class Supervisor:
    """Keeps `count` workers running; `patience` is how many seconds they have to end before they are killed."""

    def __init__(
        self,
        spawn: Spawn,
        count: int,
        patience: float,
        *,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._spawn = spawn
        self._count = count
        self._patience = patience
        self._now, self._pause = now, pause
        self._workers: dict[int, Worker] = {}
        self._stopping = asyncio.Event()
        self._statuses: list[int] = []
        self._replacing = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, ready: Callable[[], object]) -> int:
        """Until all have ended after `stop`; the status to exit with. `ready` is called when all listen.

        A worker that ends with FAILED before it listened says what is wrong: no other would do better, so all end.
        """
        for index in range(self._count):
            self._workers[index] = await self._spawn(index)
        keepers = [asyncio.ensure_future(self._keep(index)) for index in range(self._count)]
        self._begin(self._announce(ready))
        try:
            await asyncio.gather(*keepers)
        finally:
            for task in (*keepers, *self._tasks):
                task.cancel()
        if FAILED in self._statuses:
            return FAILED
        # Who had not come to listen yet when it was told to end, ended by that.
        return int(any(status not in (0, -signal.SIGTERM) for status in self._statuses))

    # --- what signals ask for -------------------------------------------------------------------------------

    def stop(self) -> None:
        """SIGTERM, SIGINT: all workers drain; a second time: they hurry."""
        first = not self._stopping.is_set()
        self._stopping.set()
        self.send(signal.SIGTERM)
        if first:
            self._begin(self._kill_late())

    def send(self, number: int) -> None:
        """A signal to all workers."""
        for worker in self._workers.values():
            worker.send(number)

    def replace(self) -> None:
        """SIGUSR2: new workers take the place of the old, one after the other; none goes before another listens."""
        if not self._replacing and not self._stopping.is_set():
            self._replacing = True
            self._begin(self._replace())

    async def _replace(self) -> None:
        try:
            for index in range(self._count):
                new = await self._spawn(index)
                listens = await self._listens(new)
                if self._stopping.is_set():
                    new.send(signal.SIGTERM)
                    return
                if not listens:
                    new.send(signal.SIGKILL)
                    log.error("the new worker does not listen; the old ones stay", worker=index)
                    return
                old, self._workers[index] = self._workers[index], new
                old.send(signal.SIGTERM)
                await old.process.wait()
                log.info("worker replaced", worker=index, pid=new.process.pid)
        finally:
            self._replacing = False

    async def _listens(self, worker: Worker) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_WITHIN):
                return await asyncio.shield(worker.listening)
        return False

    # --- looking after them ---------------------------------------------------------------------------------

    async def _keep(self, index: int) -> None:
        """Start a worker again whenever it ends, later and later if it ends again and again."""
        failures = 0
        while True:
            worker, began = self._workers[index], self._now()
            status = await worker.process.wait()
            if self._workers[index] is not worker:
                continue  # it was replaced
            if self._stopping.is_set():
                self._statuses.append(status)
                return
            if status == FAILED and not (worker.listening.done() and worker.listening.result()):
                self._statuses.append(status)
                self.stop()
                return
            failures = 1 if self._now() - began >= STEADY else failures + 1
            wait = min(BACKOFF[0] * 2.0 ** (failures - 1), BACKOFF[1])
            log.error("worker ended", worker=index, pid=worker.process.pid, status=status, again_in=wait)
            if await self._stops_within(wait):
                return
            self._workers[index] = await self._spawn(index)
            log.info("worker started again", worker=index, pid=self._workers[index].process.pid)
            if self._stopping.is_set():
                self._workers[index].send(signal.SIGTERM)

    async def _stops_within(self, seconds: float) -> bool:
        pause = asyncio.ensure_future(self._pause(seconds))
        stops = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait((pause, stops), return_when=asyncio.FIRST_COMPLETED)
        for each in (pause, stops):
            each.cancel()
        return self._stopping.is_set()

    async def _announce(self, ready: Callable[[], object]) -> None:
        if all([await self._listens(worker) for worker in list(self._workers.values())]):
            ready()

    async def _kill_late(self) -> None:
        await self._pause(self._patience)
        log.error("workers that do not end are killed", seconds=self._patience)
        self.send(signal.SIGKILL)

    def _begin(self, work: Awaitable[None]) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


# --- processes ------------------------------------------------------------------------------------------------


class Spawner:
    """Starts workers as processes of this very installation: `hubbub serve <arguments> --worker ...`."""

    def __init__(self, arguments: Sequence[str], port: int, config: Config, count: int) -> None:
        from hubbub.transports.server import split_address

        self._arguments = arguments
        self._port = port
        self._settings = shares(config, count)
        self._name = config.cluster.name
        host, first = split_address(config.cluster.listen or "127.0.0.1:0")
        self._host = host
        # One more than there are workers: a new one listens before the old one goes.
        self._free = list(range(first, first + count + 1)) if first else []

    async def __call__(self, index: int) -> Worker:
        own = self._free.pop(0) if self._free else 0
        settings = {**self._settings, "HUBBUB_CLUSTER__LISTEN": f"{self._host}:{own}"}
        if self._name:
            settings["HUBBUB_CLUSTER__NAME"] = f"{self._name}-{index}"
        read, write = os.pipe()
        os.set_blocking(read, False)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "hubbub", "serve", *self._arguments),
                *("--worker", f"{self._port}:{write}"),
                pass_fds=(write,),
                env={**os.environ, **settings},
                process_group=0,  # Ctrl-C is for the supervisor, who tells them
            )
        finally:
            os.close(write)
        if own:
            asyncio.ensure_future(process.wait()).add_done_callback(lambda _: self._free.append(own))
        return Worker(process, _told(read))


def _told(descriptor: int) -> asyncio.Future[bool]:
    """Whether something is written to the pipe before it ends."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[bool] = loop.create_future()

    def readable() -> None:
        said = os.read(descriptor, 1)
        loop.remove_reader(descriptor)
        os.close(descriptor)
        told.set_result(bool(said))

    loop.add_reader(descriptor, readable)
    return told


def shares(config: Config, count: int) -> dict[str, str]:
    """What each of `count` workers may use of the machine, as settings in the environment; what is set stays."""
    from hubbub.telemetry.capacity import capacity

    full, load = capacity(config.load), config.load
    found = {}
    if not load.memory_bytes:
        found["HUBBUB_LOAD__MEMORY_BYTES"] = str(full.memory // count)
    if not load.cpu_cores:
        found["HUBBUB_LOAD__CPU_CORES"] = f"{full.cores / count:.3f}"
    return found


def check(config: Config, count: int) -> None:
    """Raises Problem for settings with which several workers would not be one server."""
    if config.dev:
        raise Problem("--dev is for one process.", "leave out --workers, or --dev.")
    if config.broker.type == "memory":
        raise Problem(
            f"{count} workers with broker.type = memory would not hear each other: each would have channels of its "
            "own.",
            "set HUBBUB_BROKER__TYPE=redis (or nats, postgresql), or leave out --workers.",
        )
    if config.chat.enabled and config.storage.url.get_secret_value().startswith("sqlite"):
        raise Problem(
            "several workers cannot share a SQLite database: one process has it for itself.",
            "set HUBBUB_STORAGE__URL=postgresql://..., or HUBBUB_CHAT__ENABLED=false where there are no "
            "conversations.",
        )


def supervise(arguments: Sequence[str], port: int, config: Config, count: int) -> int:
    """Run `count` workers on `port` until a signal ends them; the status to exit with."""

    async def run() -> int:
        from hubbub.transports import drain, server

        grace = drain.PATIENCE + drain.CLAIMING + drain.STOPPING + server.GRACE
        supervisor = Supervisor(
            Spawner(arguments, port, config, count), count, config.server.drain_window + grace
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, supervisor.stop)
        loop.add_signal_handler(signal.SIGHUP, supervisor.send, signal.SIGHUP)
        loop.add_signal_handler(signal.SIGUSR2, supervisor.replace)
        return await supervisor.run(
            lambda: log.info("listening", host=config.server.host, port=port, workers=count)
        )

    return asyncio.run(run())


# --- in a worker ----------------------------------------------------------------------------------------------


def parse(worker: str) -> tuple[int, int]:
    """The port and the descriptor in `--worker`."""
    port, _, descriptor = worker.partition(":")
    return int(port), int(descriptor)


def tell(descriptor: int) -> None:
    """The supervisor hears that this worker listens."""
    with contextlib.suppress(OSError):  # it has gone
        os.set_blocking(descriptor, False)
        os.write(descriptor, b"1")
        os.close(descriptor)


def die_with_parent() -> None:
    """A supervisor that is killed takes its workers along: they drain (Linux, prctl(2))."""
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PARENT_DEATH, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
