"""Servers of one's own for tests and measurements: each a process in a folder of its own, gone with whoever asked.

All of this blocks: on an event loop, `asyncio.to_thread(server.restart)`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from hubbub.loadgen.target import free_port

DEADLINE = 60.0
ATTEMPTS = 5
"""Ports that are tried: between being found free and being used, somebody else may take one."""
WATCHDOG = """
read _
pid=$(cat pid) && {{ {ending}; }}
for _ in $(seq 200); do kill -0 "$pid" || break; sleep 0.05; done
cd / && rm -rf "$1"
"""
"""Its input ends when whoever made the server closes it, or dies in whichever way."""


class Stage(ABC):
    """Something that stands between `open` and `close`, or within a `with`."""

    @abstractmethod
    def open(self) -> None:
        """Set it up. What this leaves when it fails, `close` takes away."""

    @abstractmethod
    def close(self) -> None:
        """Take it down, with all that belongs to it."""

    def __enter__(self) -> Self:
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ServerProcess(Stage):
    """A server on a free port of loopback. A subclass says how it is called, how it is begun, and when it answers."""

    name: ClassVar[str]
    """As it is spoken of."""
    ending: ClassVar[str] = 'kill -KILL "$pid"'
    """What the shell does to end a process that its owner has left."""

    def __init__(self) -> None:
        self.port = 0
        self.folder = Path()
        self.paused = False
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _command(self) -> list[str]:
        """What runs it on `port` with `folder` as its own, where its settings may be written first."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it can be used now."""

    def _identity(self) -> dict[str, Any]:
        """Arguments of Popen that say as whom it runs."""
        return {}

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None, "not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started, and not ended since."""
        return self._process is not None

    def open(self) -> None:
        """Make its folder, and start it."""
        self._settle_in()
        self.start()

    def _settle_in(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"hubbub-{self.name.lower()}-"))
        self._watchdog = subprocess.Popen(
            ["sh", "-c", WATCHDOG.format(ending=self.ending), "watchdog", str(self.folder)],
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # not reached by Ctrl-C
        )

    def close(self) -> None:
        """End it and remove its folder."""
        if self._process is not None:
            self.kill()
        if self._watchdog is not None:
            watchdog, self._watchdog = self._watchdog, None
            watchdog.communicate()

    def start(self) -> None:
        """Start it, on the same port if it ran before; it answers when this returns. Raises RuntimeError."""
        before = self.port
        for _ in range(1 if before else ATTEMPTS):
            self.port = before or free_port()
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    self._command(),
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    **self._identity(),
                )
            (self.folder / "pid").write_text(str(self.pid), encoding="ascii")
            wait_for(self._settled, self.name)
            if self._process.poll() is None:
                return
            self._ended()
        self.port = before
        raise RuntimeError(f"{self.name} ended:\n{self.log()[-2_000:]}")

    def kill(self) -> None:
        """SIGKILL, also to one that is paused."""
        assert self._process is not None, "not running"
        self._process.kill()
        self._process.wait()
        self._ended()

    def restart(self) -> None:
        """Kill it, and start it anew on the same port."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Stop it in the middle of what it does; connections stay open, and the kernel takes more."""
        self.paused = True
        self._signal(signal.SIGSTOP, [self.pid])

    def resume(self) -> None:
        """Let a paused one go on."""
        self._signal(signal.SIGCONT, [self.pid])
        self.paused = False

    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def _settled(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None or self._answers()

    def _signal(self, number: signal.Signals, processes: list[int]) -> None:
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _ended(self) -> None:
        self._process = None
        self.paused = False
        (self.folder / "pid").unlink()


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Look every few milliseconds. Raises RuntimeError after a minute."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited for {what} for {DEADLINE:.0f} s")
        time.sleep(0.01)
