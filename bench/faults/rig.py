"""What is broken: nodes of Hubbub, the Redis between them and their database, each behind a proxy of our own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from bench.chat.rest import Rest
from bench.faults.network import Network
from hubbub.auth.api_keys import new_key
from hubbub.loadgen import BenchError
from hubbub.loadgen.target import free_port, serve, settings
from hubbub.testing.nats import NatsServer
from hubbub.testing.postgres import Cluster, migrate
from hubbub.testing.processes import ServerProcess
from hubbub.testing.proxy import FaultProxy
from hubbub.testing.redis import RedisServer

T = TypeVar("T")
Broker = Literal["memory", "redis", "nats", "postgresql"]
SERVERS: dict[str, type[ServerProcess]] = {"redis": RedisServer, "nats": NatsServer}
START = 120.0
"""Seconds in which a node must listen, on a machine that may be busy."""
LEASE = 3.0
PRESENCE_GRACE = 1.0
SETTINGS = {
    "HUBBUB_CHAT__ENABLED": "true",
    "HUBBUB_CLUSTER__LEASE": str(LEASE),
    "HUBBUB_LOAD__BUSY": "97",  # nothing is to be shed because the machine does other things, too
    "HUBBUB_LOAD__OVERLOADED": "98",
    "HUBBUB_LOAD__CRITICAL": "99",
    "HUBBUB_HEARTBEAT__SSE_COMMENT": "2",
    "HUBBUB_HEARTBEAT__POLL_TIMEOUT": "2",
    "HUBBUB_SESSIONS__PRESENCE_GRACE": str(PRESENCE_GRACE),
    "HUBBUB_SERVER__DRAIN_WINDOW": "2",
    "HUBBUB_NAMESPACES__ROOM__RETENTION": "100000",
    "HUBBUB_NAMESPACES__ROOM__TTL": "3600",
    "HUBBUB_NAMESPACES__ROOM__SUBSCRIBE": "authenticated",
    "HUBBUB_NAMESPACES__ROOM__PUBLISH": "authenticated",
    "HUBBUB_NAMESPACES__ROOM__HISTORY": "authenticated",
    "HUBBUB_NAMESPACES__ROOM__PRESENCE": "full",
    "HUBBUB_NAMESPACES__ROOM__JOIN_LEAVE": "true",
}


class Proxies:
    """Proxies on a loop of their own, in a thread of its own."""

    def __init__(self, listen: str, seed: int) -> None:
        self._listen = listen
        self._seed = seed
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._proxies: list[FaultProxy] = []

    def __enter__(self) -> Proxies:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        for proxy in self._proxies:
            self._run(proxy.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def to(self, port: int) -> FaultProxy:
        """A new one before a port of 127.0.0.1."""
        proxy = FaultProxy("127.0.0.1", port, seed=self._seed + len(self._proxies), listen=self._listen)
        self._proxies.append(self._run(proxy.__aenter__()))
        return proxy

    def reset(self, proxy: FaultProxy) -> None:
        self._loop.call_soon_threadsafe(proxy.reset)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


@dataclass(slots=True)
class Node:
    """One process of Hubbub. `server` is the proxy through which it reaches what stands between the nodes."""

    name: str
    host: str
    folder: Path
    command: tuple[str, ...]
    environment: Mapping[str, str]
    key: str
    server: FaultProxy | None = None
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    listens: bool = False
    paused: bool = False

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def well(self) -> bool:
        """It runs, and is to answer."""
        return self.listens and not self.paused

    def start(self) -> None:
        """Start it; it listens when this returns. Raises BenchError."""
        self.begin()
        self.ready()

    def begin(self) -> None:
        """Start it, and do not wait for it."""
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def ready(self) -> None:
        """Wait until it listens. Raises BenchError."""
        process, rest = self.process, self.rest(1.0)
        assert process is not None
        try:
            wait_for(lambda: process.poll() is not None or _answers(rest), f"{self.name} to listen")
        finally:
            rest.close()
        if process.poll() is not None:
            raise BenchError(
                f"{self.name} ended with status {process.returncode} at its start:\n{self.log()[-3000:]}"
            )
        self.listens = True

    def kill(self) -> None:
        """SIGKILL, also to one that is paused."""
        assert self.process is not None
        process, self.process, self.listens, self.paused = self.process, None, False, False
        process.kill()
        process.wait()

    def stop(self) -> None:
        """SIGTERM, and wait. Raises BenchError."""
        assert self.process is not None
        process, self.process, self.listens = self.process, None, False
        process.terminate()
        try:
            status = process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise BenchError(f"{self.name} did not end within 30 s of SIGTERM") from None
        if status not in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
            raise BenchError(f"{self.name} ended with status {status} after SIGTERM")

    def pause(self) -> None:
        assert self.process is not None
        self.paused = True
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
        self.paused = False

    def rest(self, timeout: float = 30.0) -> Rest:
        return Rest(self.port, self.key, host=self.host, timeout=timeout)

    def log(self) -> str:
        path = self.folder / f"{self.name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


@dataclass(frozen=True, slots=True)
class Rig:
    """`secret` signs tokens; `entrance` is where clients may connect to; `server` is what stands between the nodes."""

    nodes: tuple[Node, ...]
    secret: str
    network: Network
    proxies: Proxies
    server: ServerProcess | None

    @property
    def entrance(self) -> tuple[str, ...]:
        return tuple(node.address for node in self.nodes)

    def start(self) -> None:
        for node in self.nodes:
            node.begin()
        for node in self.nodes:
            node.ready()

    def check(self) -> None:
        """Raises BenchError when a node has ended by itself."""
        for node in self.nodes:
            if node.process is not None and (status := node.process.poll()) is not None:
                raise BenchError(f"{node.name} ended by itself with status {status}:\n{node.log()[-3000:]}")


@contextlib.contextmanager
def rig(
    count: int,
    database: str,
    broker: Broker,
    network: Network,
    folder: Path,
    seed: int,
    command: tuple[str, ...] = (),
    more: Mapping[str, str] | None = None,
) -> Iterator[Rig]:
    """Nodes that are not started yet, on an empty `database` of their own (`sqlite`, `postgresql`), or on the one with
    that URL, which is migrated. `command` is theirs if it is not `serve` (for mutants); `more` settings are of all of
    them. Their logs are in `folder`. Raises BenchError."""
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hubbub-faults-")))
        proxies = stack.enter_context(Proxies(network.gateway, seed))
        url = f"sqlite:///{place / 'chat.db'}" if database == "sqlite" else database
        server: ServerProcess | None = None
        if database == "postgresql":
            server = cluster = stack.enter_context(Cluster(durable=True, max_connections="100"))
            url = cluster.create("chat")
            migrate(url)
        if broker != "postgresql":
            server = stack.enter_context(SERVERS[broker]()) if broker in SERVERS else None
        elif server is None:
            raise BenchError("the broker `postgresql` needs a database `postgresql`")
        secret, (key, digest) = secrets.token_hex(32), new_key()
        nodes = []
        for number in range(count):
            name = f"n{number}"
            host = network.add(name)
            port = free_port()
            environment = {
                **settings(secret),
                **SETTINGS,
                "HUBBUB_AUTH__API_KEYS": f'["{digest}"]',
                "HUBBUB_SERVER__HOST": host,
                "HUBBUB_SERVER__PORT": str(port),
                "HUBBUB_CLUSTER__NAME": name,
                "HUBBUB_CLUSTER__ADDRESS": f"{host}:{port}",
                "HUBBUB_STORAGE__URL": url,
                "HUBBUB_BROKER__TYPE": broker,
                **(more or {}),
            }
            before = proxies.to(server.port) if server is not None else None
            if database != "sqlite":
                store = before if broker == "postgresql" else proxies.to(port_of(url))
                assert store is not None
                environment["HUBBUB_STORAGE__URL"] = _by(store, network, url)
            if before is not None and broker == "redis":
                environment["HUBBUB_REDIS__URL"] = f"redis://{network.gateway}:{before.port}/0"
            if before is not None and broker == "nats":
                environment["HUBBUB_NATS__URL"] = f"nats://{network.gateway}:{before.port}"
                environment["HUBBUB_CLUSTER__STATE"] = "postgresql"
            start = (*network.command(name), *(command or serve(port)))
            node = Node(name, host, folder, start, environment, key, before, port)
            stack.callback(_end, node)
            nodes.append(node)
        yield Rig(tuple(nodes), secret, network, proxies, server)


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def _by(proxy: FaultProxy, network: Network, url: str) -> str:
    """The URL of a database by a proxy."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}:{parts.password}@{network.gateway}:{proxy.port}").geturl()


def _end(node: Node) -> None:
    if node.process is not None:
        node.kill()


def _answers(rest: Rest) -> bool:
    try:
        rest.call("GET", "/channels?limit=1")
    except Exception:  # whatever it is, it does not listen yet
        return False
    return True


def wait_for(condition: Callable[[], bool], what: str, patience: float = START) -> None:
    """Look every few milliseconds. Raises BenchError."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"waited for {what}")
        time.sleep(0.05)
