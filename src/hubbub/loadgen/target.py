"""The server under test: one that is there, or a `hubbub serve --dev` of our own; its memory and its sockets."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hubbub.auth.tokens import mint
from hubbub.loadgen.errors import BenchError

START_SECONDS = 15.0
CHANNELS = "bench"
"""The namespace that runs publish in; our own server opens it, without presence."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect and how to get in. `pid` is the server's, where it is known."""

    url: str
    secret: str | None = None
    token: str | None = None
    pid: int | None = None

    def tokens(self) -> Iterator[str]:
        """A token per connection: all different when there is a secret to sign with."""
        if self.secret is None:
            return itertools.repeat(self.token or "")
        return _minted(self.secret)

    def memory(self) -> int | None:
        """The server's resident set in bytes."""
        if self.pid is None:
            return None
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))

    def cpu(self) -> float | None:
        """Processor seconds that the server's process has used; the kernel counts in hundredths."""
        if self.pid is None:
            return None
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int | None:
        """How many files and sockets the server has open."""
        return None if self.pid is None else len(os.listdir(f"/proc/{self.pid}/fd"))


def _minted(secret: str) -> Iterator[str]:
    channels = {f"{CHANNELS}:*": ("subscribe", "publish")}
    now = time.time()
    for number in itertools.count():
        yield mint(
            secret, f"bench-{number}", now=now, ttl=3600, channels=channels, token_id=secrets.token_hex(8)
        )


def free_port() -> int:
    """A port of loopback that nobody has just now, and that no client's connection gets before it is used: it is below
    those that systems give out themselves (Linux: from 32768 on)."""
    while True:
        port = 20_000 + secrets.randbelow(12_768)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def settings(secret: str) -> dict[str, str]:
    """The environment that opens a Hubbub to load: limits that meet one noisy client are out of its way, and at its end
    nobody is waited for."""
    return {
        "HUBBUB_AUTH__HMAC_SECRET": secret,
        "HUBBUB_LIMITS__CONNECTIONS": "19500",
        "HUBBUB_LIMITS__CONNECTIONS_PER_IP": "19500",
        "HUBBUB_LIMITS__CONNECTIONS_PER_USER": "19500",
        "HUBBUB_LIMITS__UNAUTHENTICATED": "19500",
        "HUBBUB_LIMITS__COMMAND_RATE": "0",
        "HUBBUB_LIMITS__PUBLISH_RATE": "0",
        "HUBBUB_LIMITS__SUBSCRIBE_RATE": "0",
        f"HUBBUB_NAMESPACES__{CHANNELS.upper()}__SUBSCRIBE": "authenticated",
        f"HUBBUB_NAMESPACES__{CHANNELS.upper()}__PUBLISH": "authenticated",
        "HUBBUB_LOAD__HANDSHAKE_RATE": "0",
        **dict.fromkeys(("HUBBUB_LOAD__BUSY", "HUBBUB_LOAD__OVERLOADED", "HUBBUB_LOAD__CRITICAL"), "1000"),
        "HUBBUB_SERVER__DRAIN_WINDOW": "0",
        "HUBBUB_TELEMETRY__LOG_LEVEL": "warning",
    }


def serve(port: int) -> list[str]:
    """The command that starts a Hubbub of this very installation."""
    return [sys.executable, "-c", "from hubbub.cli import main; main()", "serve", "--port", str(port)]


def wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    """Raises BenchError when the server ends, or does not listen within 15 s."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchError(f"the server ended with status {process.returncode} before it listened")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise BenchError(f"the server did not listen on port {port} within {START_SECONDS:g} s")


@contextlib.contextmanager
def own_server() -> Iterator[Target]:
    """A `hubbub serve --dev` on a free port, with the limits raised, for as long as the block lasts."""
    port, secret = free_port(), secrets.token_hex(32)
    command = [
        sys.executable,
        "-c",
        "from hubbub.cli import main; main()",
        "serve",
        "--dev",
        "--port",
        str(port),
    ]
    process = subprocess.Popen(
        command, env={**os.environ, **settings(secret)}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        wait_until_listening(process, port)
        yield Target(f"ws://127.0.0.1:{port}", secret=secret, pid=process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
