"""The servers that are compared: how each is built, started on a core of its own, and stopped."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hubbub.loadgen import Target
from hubbub.loadgen.target import free_port, serve, settings, wait_until_listening

PEERS = Path(__file__).parent / "peers"
NODE = PEERS / "node"
LOOP = PEERS / "build" / "loop"
STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Server:
    """`protocol` names the load generator's adapter; `prepare` builds or installs and returns what is missing.

    `command` makes the server's command line of a port; a row may add arguments to it.
    """

    name: str
    title: str
    protocol: str
    command: Callable[[int], list[str]]
    prepare: Callable[[], str | None]


def _nothing() -> str | None:
    return None


def _node() -> str | None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "needs node and npm"
    if not (NODE / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=NODE, check=True)
    return None


def _python_socketio() -> str | None:
    return None if importlib.util.find_spec("socketio") else "needs the dependency group `bench`"


def _c() -> str | None:
    if shutil.which("gcc") is None:
        return "needs gcc"
    source = PEERS / "loop.c"
    if not LOOP.exists() or LOOP.stat().st_mtime < source.stat().st_mtime:
        LOOP.parent.mkdir(exist_ok=True)
        subprocess.run(["gcc", "-O2", "-o", str(LOOP), str(source)], check=True)
    return None


SERVERS: dict[str, Server] = {
    server.name: server
    for server in (
        Server("hubbub", "Hubbub", "hubbub", serve, _nothing),
        Server(
            "hubbub-socketio",
            "Hubbub, speaking Socket.IO",
            "socketio",
            lambda port: [sys.executable, str(PEERS / "hubbub_socketio_app.py"), str(port)],
            _nothing,
        ),
        Server(
            "socketio",
            "Socket.IO on Node",
            "socketio",
            lambda port: ["node", str(NODE / "socketio.js"), str(port)],
            _node,
        ),
        Server("ws", "`ws` on Node", "plain", lambda port: ["node", str(NODE / "ws.js"), str(port)], _node),
        Server(
            "python-socketio",
            "python-socketio",
            "socketio",
            lambda port: [sys.executable, str(PEERS / "python_socketio_app.py"), str(port)],
            _python_socketio,
        ),
        Server("loop", "C epoll loop", "plain", lambda port: [str(LOOP), str(port)], _c),
    )
}


@contextlib.contextmanager
def started(server: Server, core: int, arguments: Sequence[str] = ()) -> Iterator[Target]:
    """`server`, alone on `core`, on a free port of 127.0.0.1, for as long as the block lasts."""
    port, secret = free_port(), secrets.token_hex(32)
    process = subprocess.Popen(
        [*server.command(port), *arguments],
        env={**os.environ, **settings(secret)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    try:
        wait_until_listening(process, port)
        yield Target(f"ws://127.0.0.1:{port}", secret=secret, pid=process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
