"""The servers that are compared on each database: how each is started, filled and stopped."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.chat.plan import Plan
from bench.chat.rest import Rest
from bench.chat.seeding import seed
from bench.servers import NODE, PEERS, STOP_SECONDS
from hubbub.auth.api_keys import new_key
from hubbub.loadgen import BenchError
from hubbub.loadgen.target import free_port, serve, settings, wait_until_listening
from hubbub.testing.postgres import Cluster, migrate

Database = Literal["sqlite", "postgres"]
DATABASES: tuple[Database, ...] = ("sqlite", "postgres")
NODE_SQLITE = PEERS / "node_sqlite"
CLUSTER = {"shared_buffers": "128MB", "max_connections": "50"}


@dataclass(frozen=True, slots=True)
class Running:
    """A server with everybody in it. `secret` signs tokens, where they are looked at."""

    url: str
    pid: int
    plan: Path
    secret: str | None = None
    database_pid: int | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """`missing` says, for a database, what keeps it from running here; `command` is of a port, a database's URL and
    the path of a plan, for peers, who fill their database from the plan themselves."""

    name: str
    title: str
    protocol: str
    missing: Callable[[Database], str | None]
    command: Callable[[int, str, Path], list[str]] | None = None


def _python_missing(database: Database) -> str | None:
    wanted = ("socketio", "aiosqlite" if database == "sqlite" else "asyncpg")
    lacking = [name for name in wanted if importlib.util.find_spec(name) is None]
    return f"needs the dependency group `bench` ({', '.join(lacking)})" if lacking else None


def _node_missing(database: Database) -> str | None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "needs node and npm"
    if not (NODE / "node_modules" / "pg").is_dir():
        _npm("ci", NODE)
    if database == "sqlite" and not any(NODE_SQLITE.glob("node_modules/better-sqlite3/build/Release/*.node")):
        try:
            _npm("ci", NODE_SQLITE)
            _npm("rebuild", NODE_SQLITE, "--ignore-scripts=false")
        except subprocess.CalledProcessError:
            return "better-sqlite3 cannot be had: neither ready-made nor to be compiled (headers of Node)"
    return None


def _npm(command: str, folder: Path, *options: str) -> None:
    options = options or ("--ignore-scripts",)
    done = [*("npm", command, "--no-audit", "--no-fund", "--loglevel=error"), *options]
    subprocess.run(done, cwd=folder, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True)


SERVERS: dict[str, Server] = {
    server.name: server
    for server in (
        Server("hubbub", "Hubbub", "hubbub", lambda database: None),
        Server(
            "python-socketio",
            "python-socketio, aiosqlite or asyncpg",
            "socketio",
            _python_missing,
            lambda port, url, plan: [
                *(sys.executable, str(PEERS / "chat_python_socketio.py"), str(port), url, str(plan))
            ],
        ),
        Server(
            "socketio",
            "Socket.IO on Node, better-sqlite3 or pg",
            "socketio",
            _node_missing,
            lambda port, url, plan: ["node", str(NODE / "chat.js"), str(port), url, str(plan)],
        ),
    )
}


@contextlib.contextmanager
def started(
    server: Server, database: Database, plan: Plan, *, folder: Path | None = None, core: int | None = None
) -> Iterator[Running]:
    """`server` on `core`, with an empty database of its own in `folder` (default: the system's for temporary files),
    filled by `plan`, for as long as the block lasts. PostgreSQL is a cluster of its own, on whatever cores."""
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hubbub-chat-", dir=folder)))
        cluster = None
        if database == "postgres":
            cluster = stack.enter_context(Cluster(durable=True, **CLUSTER))
            url = cluster.create("chat")
        else:
            url = f"sqlite:///{place / 'chat.db'}"
        port, secret = free_port(), secrets.token_hex(32)
        path = place / "plan.json"
        plan.save(path)
        key, digest = new_key()
        own = {
            **settings(secret),
            "HUBBUB_AUTH__API_KEYS": f'["{digest}"]',
            "HUBBUB_CHAT__ENABLED": "true",
            "HUBBUB_STORAGE__URL": url,
        }
        if server.command is None:
            if database == "postgres":
                migrate(url)
            command = serve(port)
        else:
            command = server.command(port, url, path)
        process = subprocess.Popen(
            command,
            cwd=place,
            env={**os.environ, **own, "PYTHONPATH": str(Path.cwd())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
        )
        stack.callback(_stop, process)
        listening(process, port)
        if server.command is None:
            rest = Rest(port, key)
            try:
                seed(rest, plan).save(path)
            finally:
                rest.close()
        yield Running(
            f"ws://127.0.0.1:{port}",
            process.pid,
            path,
            secret if server.command is None else None,
            cluster.pid if cluster is not None else None,
        )
        if process.poll() is not None:
            raise BenchError(f"{server.name} ended with status {process.returncode}")


def listening(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait for a server on a machine that may be busy with others. Raises BenchError after a minute."""
    for attempt in range(4):
        try:
            return wait_until_listening(process, port)
        except BenchError:
            if attempt == 3 or process.poll() is not None:
                raise
    return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
