"""What is killed: a Hubbub that is started again each time, and the PostgreSQL below it."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.chat.rest import Rest
from bench.chat.servers import Database, listening
from hubbub.auth.api_keys import new_key
from hubbub.loadgen.target import free_port, serve, settings
from hubbub.testing.postgres import Cluster, migrate


@dataclass(slots=True)
class Victim:
    """A server on a port that it keeps. `secret` signs tokens."""

    folder: Path
    url: str
    key: str
    digest: str
    cluster: Cluster | None = None
    command: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    secret: str = field(default_factory=lambda: secrets.token_hex(32))
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it listens when this returns. Raises BenchError."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command or serve(self.port),
                cwd=self.folder,
                env={
                    **os.environ,
                    **settings(self.secret),
                    "HUBBUB_AUTH__API_KEYS": f'["{self.digest}"]',
                    "HUBBUB_CHAT__ENABLED": "true",
                    "HUBBUB_STORAGE__URL": self.url,
                    "HUBBUB_SERVER__PORT": str(self.port),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        listening(self.process, self.port)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def rest(self) -> Rest:
        return Rest(self.port, self.key)

    def log(self) -> str:
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")


@contextlib.contextmanager
def victim(database: Database, folder: Path | None = None, command: tuple[str, ...] = ()) -> Iterator[Victim]:
    """One that is not started yet, on an empty database in `folder` (default: the system's for temporary files)."""
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hubbub-crash-", dir=folder)))
        cluster = None
        url = f"sqlite:///{place / 'chat.db'}"
        if database == "postgres":
            cluster = stack.enter_context(Cluster(durable=True))
            url = cluster.create("chat")
            migrate(url)
        key, digest = new_key()
        server = Victim(place, url, key, digest, cluster, command)
        try:
            yield server
        finally:
            if server.process is not None and server.process.poll() is None:
                server.kill()
