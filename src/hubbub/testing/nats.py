"""A NATS server with JetStream of one's own for tests and measurements: a process in a folder of its own, gone with
whoever asked.

with NatsServer() as server:                    # a fifth of a second
    NatsConfig(url=server.url)
    server.pause(); server.resume(); server.kill(); server.start(); server.forget()

It needs the program `nats-server` of version 2.9 or later. All of this blocks: on an event loop,
`asyncio.to_thread(server.restart)`.
"""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from hubbub.testing.processes import ServerProcess

PLACES = ("/usr/sbin/nats-server", "/usr/local/bin/nats-server")


class NatsServer(ServerProcess):
    """A server on a free port of loopback. `settings` are lines of its configuration file.

    What JetStream keeps in files is there again after `kill` and `start`; what it keeps in memory is not.
    """

    name = "NATS"

    def __init__(self, *settings: str) -> None:
        super().__init__()
        self.settings = settings

    @property
    def url(self) -> str:
        """For `nats.url`."""
        return f"nats://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        lines = [
            f"listen: 127.0.0.1:{self.port}",
            f'jetstream {{ store_dir: "{self.folder / "store"}" }}',
            *self.settings,
        ]
        path = self.folder / "nats.conf"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [program(), "-c", str(path)]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as connection:
                return connection.recv(5) == b"INFO "
        except OSError:
            return False

    def forget(self) -> None:
        """Start it anew with nothing of what it kept."""
        self.kill()
        shutil.rmtree(self.folder / "store", ignore_errors=True)
        self.start()


def program() -> str:
    """The path of `nats-server`: where PATH says, or where Debian puts it. Raises RuntimeError."""
    found = shutil.which("nats-server")
    if found is not None:
        return found
    for place in PLACES:
        if Path(place).exists():
            return place
    raise RuntimeError("nats-server is not installed: install the package of that name.")
