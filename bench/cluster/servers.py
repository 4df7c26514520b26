"""Clusters that are measured: nodes of one kind and a Redis between them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.faults.rig import Proxies
from bench.servers import NODE, PEERS, STOP_SECONDS
from hubbub.loadgen import BenchError, Target
from hubbub.loadgen.target import free_port, serve, settings, wait_until_listening
from hubbub.testing.proxy import FaultProxy
from hubbub.testing.redis import RedisServer

CGROUP = Path("/sys/fs/cgroup/cpu")
PERIOD = 20_000
"""Microseconds in which a quota is given and used: short, so that it shows as little as can be in latencies."""


@dataclass(frozen=True, slots=True)
class Server:
    """`command` is of a port and Redis' URL; `missing` says what keeps it from running here."""

    name: str
    title: str
    protocol: str
    command: Callable[[int, str], list[str]]
    missing: Callable[[], str | None]


def _nothing() -> str | None:
    return None


def _node() -> str | None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "needs node and npm"
    if not (NODE / "node_modules" / "@socket.io" / "redis-adapter").is_dir():
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=NODE,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            check=True,
        )
    return None


def _python() -> str | None:
    lacking = [name for name in ("socketio", "uvicorn") if importlib.util.find_spec(name) is None]
    return f"needs the dependency group `bench` ({', '.join(lacking)})" if lacking else None


SERVERS: dict[str, Server] = {
    server.name: server
    for server in (
        Server("hubbub", "Hubbub", "hubbub", lambda port, url: serve(port), _nothing),
        Server(
            "hubbub-socketio",
            "Hubbub, speaking Socket.IO",
            "socketio",
            lambda port, url: [sys.executable, str(PEERS / "hubbub_socketio_app.py"), str(port)],
            _nothing,
        ),
        Server(
            "socketio",
            "Socket.IO on Node, Redis adapter",
            "socketio",
            lambda port, url: ["node", str(NODE / "socketio.js"), str(port), url],
            _node,
        ),
        Server(
            "python-socketio",
            "python-socketio, Redis manager",
            "socketio",
            lambda port, url: [sys.executable, str(PEERS / "python_socketio_app.py"), str(port), url],
            _python,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Running:
    """Nodes, by what the load generator needs of them, and Redis."""

    nodes: tuple[Target, ...]
    redis: RedisServer
    proxies: tuple[FaultProxy, ...]

    def received(self) -> list[int]:
        """Bytes that each node has had from Redis, by its proxy."""
        return [proxy.to_client.passed for proxy in self.proxies]

    def redis_memory(self) -> int:
        """Bytes that Redis uses for what it holds."""
        lines = self.redis.ask("INFO", "memory").decode().splitlines()
        return next(int(line.split(":")[1]) for line in lines if line.startswith("used_memory:"))

    def redis_cpu(self) -> float:
        """Processor seconds of Redis."""
        cpu = Target("", pid=self.redis.pid).cpu()
        assert cpu is not None
        return cpu


@contextlib.contextmanager
def started(
    server: Server,
    count: int,
    *,
    quota: float | None = None,
    proxied: bool = False,
    more: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """`count` nodes, for as long as the block lasts. With `quota` each gets that share of one core, and no more; with
    `proxied` what each reads from Redis is counted."""
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        secret = secrets.token_hex(32)
        proxies = stack.enter_context(Proxies("127.0.0.1", 0)) if proxied else None
        targets, processes, counting = [], [], []
        for _ in range(count):
            port, url = free_port(), redis.url
            if proxies is not None:
                counting.append(proxies.to(redis.port))
                url = f"redis://127.0.0.1:{counting[-1].port}/0"
            process = subprocess.Popen(
                server.command(port, url),
                env={
                    **os.environ,
                    **settings(secret),
                    "HUBBUB_CHAT__ENABLED": "false",
                    "HUBBUB_BROKER__TYPE": "redis",
                    "HUBBUB_REDIS__URL": url,
                    "HUBBUB_SERVER__PORT": str(port),
                    "HUBBUB_LIMITS__SUBSCRIPTIONS": "1000",
                    **(more or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            stack.callback(_stop, process)
            wait_until_listening(process, port)
            if quota is not None:
                stack.enter_context(_limited(process.pid, quota))
            targets.append(Target(f"ws://127.0.0.1:{port}", secret=secret, pid=process.pid))
            processes.append(process)
        yield Running(tuple(targets), redis, tuple(counting))
        for process in processes:
            if process.poll() is not None:
                raise BenchError(f"{server.name} ended with status {process.returncode}")


def quotas() -> bool:
    """Whether shares of a core can be given out here (cgroup v1, as root)."""
    group = CGROUP / f"hubbub-bench-{os.getpid()}"
    try:
        group.mkdir()
        there = (group / "cpu.cfs_quota_us").exists()
        group.rmdir()
    except OSError:
        return False
    return there


@contextlib.contextmanager
def _limited(pid: int, quota: float) -> Iterator[None]:
    group = CGROUP / f"hubbub-bench-{pid}"
    group.mkdir()
    try:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD), encoding="ascii")
        (group / "cpu.cfs_quota_us").write_text(str(int(PERIOD * quota)), encoding="ascii")
        (group / "cgroup.procs").write_text(str(pid), encoding="ascii")
        yield
    finally:
        with contextlib.suppress(OSError):
            (CGROUP / "cgroup.procs").write_text(str(pid), encoding="ascii")
        group.rmdir()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
