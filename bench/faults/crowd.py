"""The processes of the participants, seen from the one that kills."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from bench.faults.worker import REST, Plan, Status
from hubbub.loadgen import BenchError

PATIENCE = 60.0
"""Seconds in which everybody must be back, and some messages be acknowledged, after a fault."""


class Crowd:
    """What the workers say of themselves, and how they are told."""

    def __init__(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        self._processes = processes
        self._status = [Status() for _ in processes]
        self._listening = [
            threading.Thread(target=self._listen, args=(number,), daemon=True)
            for number in range(len(processes))
        ]
        for thread in self._listening:
            thread.start()

    def _listen(self, number: int) -> None:
        out = self._processes[number].stdout
        assert out is not None
        for line in out:
            self._status[number] = msgspec.json.decode(line, type=Status)

    @property
    def online(self) -> int:
        return sum(status.online for status in self._status)

    @property
    def acked(self) -> int:
        return sum(status.acked for status in self._status)

    @property
    def reads(self) -> int:
        return sum(status.reads for status in self._status)

    @property
    def receipts(self) -> int:
        return sum(status.receipts for status in self._status)

    @property
    def sending(self) -> bool:
        return any(status.sending for status in self._status)

    def tell(self, line: str) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Look every few milliseconds. Raises BenchError when nothing comes of it, or a worker has ended."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if any(process.poll() is not None for process in self._processes):
                raise BenchError("a worker has ended before its time")
            if time.monotonic() > deadline:
                raise BenchError(f"waited for {what}: {self.online} are there, {self.acked} acknowledged")
            time.sleep(0.01)

    def finish(self) -> None:
        """They end when all of them have got everything. Raises BenchError when one fails."""
        for process, thread in zip(self._processes, self._listening, strict=True):
            try:
                status = process.wait(REST + PATIENCE)
            except subprocess.TimeoutExpired:
                raise BenchError("a worker does not end") from None
            thread.join()
            if status:
                raise BenchError(f"a worker has failed with status {status}")


@contextlib.contextmanager
def crowd(plans: Sequence[Plan], folder: Path) -> Iterator[Crowd]:
    """A worker for each of the plans, for as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        processes = []
        for number, plan in enumerate(plans):
            path = folder / f"plan-{number}.json"
            path.write_bytes(msgspec.json.encode(plan))
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "bench.faults.worker", str(path)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            stack.callback(process.kill)
            processes.append(process)
        yield Crowd(processes)
