"""A NATS server with JetStream of one's own for tests and measurements: a process in a folder of its own, gone with
whoever asked.

with NatsServer() as server:                    # a fifth of a second
    NatsConfig(url=server.url)
    server.pause(); server.resume(); server.kill(); server.start(); server.forget()

It needs the program `nats-server` of version 2.9 or later. All of this blocks: on an event loop,
`asyncio.to_thread(server.restart)`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from hubbub.testing.redis import WATCHDOG, Stage, free_port, wait_for

PLACES = ("/usr/sbin/nats-server", "/usr/local/bin/nats-server")


class NatsServer(Stage):
    """A server on a free port of loopback. `settings` are lines of its configuration file.

    What JetStream keeps in files is there again after `kill` and `start`; what it keeps in memory is not.
    """

    def __init__(self, *settings: str) -> None:
        self.settings = settings
        self.port = 0
        self.folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """For `nats.url`."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "not running"
        return self._process.pid

    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hubbub-nats-"))
        self._watchdog = subprocess.Popen(
            ["sh", "-c", WATCHDOG, "watchdog", str(self.folder)],
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.start()

    def close(self) -> None:
        """End it and remove its folder."""
        if self._process is not None:
            self.kill()
        if self._watchdog is not None:
            watchdog, self._watchdog = self._watchdog, None
            watchdog.communicate()

    def start(self) -> None:
        """Start it, on the same port if it ran before; it answers when this returns. Raises RuntimeError."""
        for _ in range(1 if self.port else 5):
            self.port = self.port or free_port()
            lines = [
                f"listen: 127.0.0.1:{self.port}",
                f'jetstream {{ store_dir: "{self.folder / "store"}" }}',
                *self.settings,
            ]
            path = self.folder / "nats.conf"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [program(), "-c", str(path)],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            (self.folder / "pid").write_text(str(self._process.pid), encoding="utf-8")
            wait_for(self._settled, "a NATS server")
            if self._process.poll() is None:
                return
            self._process, self.port = None, 0
        raise RuntimeError(f"nats-server ended:\n{self.log()[-2_000:]}")

    def kill(self) -> None:
        """SIGKILL, also to one that is paused."""
        assert self._process is not None, "not running"
        process, self._process = self._process, None
        process.kill()
        process.wait()
        (self.folder / "pid").unlink()

    def restart(self) -> None:
        """Kill it, and start it anew on the same port."""
        self.kill()
        self.start()

    def forget(self) -> None:
        """Start it anew with nothing of what it kept."""
        self.kill()
        shutil.rmtree(self.folder / "store", ignore_errors=True)
        self.start()

    def pause(self) -> None:
        """Stop it in the middle of what it does; connections stay open, and the kernel takes more."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def _settled(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            return True
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as connection:
                return connection.recv(5) == b"INFO "
        except OSError:
            return False


def program() -> str:
    """The path of `nats-server`: where PATH says, or where Debian puts it. Raises RuntimeError."""
    found = shutil.which("nats-server")
    if found is not None:
        return found
    for place in PLACES:
        if Path(place).exists():
            return place
    raise RuntimeError("nats-server is not installed: install the package of that name.")
